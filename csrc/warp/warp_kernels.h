// The fused chain for one block of vertices and one group of images: the group's shapes are made from one reading of
// the basis and never leave the cache (once for each instruction set: common/each_instruction_set.h).
namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

// A block's vertices in the image, and R X for the gradient.
template <class T>
struct ProjectedBlock {
  T x[kVertexBlock], y[kVertexBlock], depth[kVertexBlock];
  T px[kVertexBlock], py[kVertexBlock], pz[kVertexBlock];
};

// Six arrays rather than the struct, whose members the compiler would take for aliases of one another.
template <class T>
void project_arrays(
    const RigidPose<T>& pose, T* __restrict__ px, T* __restrict__ py, T* __restrict__ pz, T* __restrict__ x,
    T* __restrict__ y, T* __restrict__ depth) {
  const Mat3<T> R = pose.rotation;
  const Vec2<T> t = pose.translation;
  const T s = pose.scale;
  for (int64_t i = 0; i < kVertexBlock; ++i) {
    const Vec3<T> p = R * Vec3<T>{px[i], py[i], pz[i]};
    const Vec3<T> point = project_rotated(s, t, p);
    x[i] = point.x;
    y[i] = point.y;
    depth[i] = point.z;
    px[i] = p.x;
    py[i] = p.y;
    pz[i] = p.z;
  }
}

template <class T>
void project_block(const T* shape, const RigidPose<T>& pose, ProjectedBlock<T>& out) {
  split_vectors(shape, out.px, out.py, out.pz);
  project_arrays(pose, out.px, out.py, out.pz, out.x, out.y, out.depth);
}

// The shapes of a group of images in one block of vertices: images x (3 kVertexBlock).
template <class T, class I>
int64_t group_shapes(const WarpParams<T, I>& p, int64_t block, int64_t b0, int64_t images, T* shapes) {
  const ModelBlock<T> model = model_block(p.mean, p.basis, p.N, p.K, block);
  add_shapes(model, p.theta + b0 * (6 + p.K) + 6, 6 + p.K, images, shapes, 3 * kVertexBlock);
  for (int64_t b = 0; b < images; ++b) {
    for (int64_t j = model.columns; j < 3 * kVertexBlock; ++j) {
      shapes[b * 3 * kVertexBlock + j] = T(0);
    }
  }
  return model.columns / 3;
}

// 1 where the point is in the image and its vertex valid; a point that is not finite is nowhere.
template <class T>
void mask_block(
    const ProjectedBlock<T>& __restrict__ block, int64_t n, T right, T bottom, const bool* valid,
    T* __restrict__ mask) {
  for (int64_t i = 0; i < n; ++i) {
    mask[i] = in_image(block.x[i], block.y[i], block.depth[i], right, bottom) ? T(1) : T(0);
  }
  for (int64_t i = 0; i < n && valid != nullptr; ++i) {
    mask[i] = valid[i] ? mask[i] : T(0);
  }
}

template <class T>
void store_points(const ProjectedBlock<T>& block, int64_t n, T* points) {
  T joined[3 * kVertexBlock];
  join_vectors(block.x, block.y, block.depth, joined);
  __builtin_memcpy(points, joined, sizeof(T) * static_cast<size_t>(3 * n));
}

// grad_x and grad_y (n,) += the gradient to the points; depth by depth in grad_z.
template <class T>
void split_point_gradients(const T* points, int64_t n, T* grad_x, T* grad_y, T* grad_z) {
  for (int64_t i = 0; i < n; ++i) {
    grad_x[i] += points[3 * i];
    grad_y[i] += points[3 * i + 1];
    grad_z[i] = points[3 * i + 2];
  }
}

// What h = (0, 0, g_depth) adds to pose_sums and to its R^T h.
template <class T>
void add_depth_sums(
    const ProjectedBlock<T>& __restrict__ block, const T* __restrict__ grad_z, const Mat3<T>& R, int64_t n, T* sums,
    T* __restrict__ grad_shape) {
  T torque_x = 0, torque_y = 0, sum_scale = 0;
#pragma omp simd reduction(+ : torque_x, torque_y, sum_scale)
  for (int64_t i = 0; i < n; ++i) {
    const bool moved = grad_z[i] != T(0);
    torque_x += moved ? block.py[i] * grad_z[i] : T(0);
    torque_y -= moved ? block.px[i] * grad_z[i] : T(0);
    sum_scale += moved ? block.pz[i] * grad_z[i] : T(0);
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int axis = 0; axis < 3; ++axis) {
      grad_shape[3 * i + axis] += R.m[2][axis] * grad_z[i];
    }
  }
  sums[0] += torque_x;
  sums[1] += torque_y;
  sums[5] += sum_scale;
}

// Sums over the block with h = (g_x, -g_y, 0), and R^T h for each vertex in place of its shape. h is 0, and p too,
// where the point is not finite, so that no NaN enters a sum.
template <class T>
void pose_sums(
    ProjectedBlock<T>& __restrict__ block, T* __restrict__ grad_x, T* __restrict__ grad_y, const Mat3<T>& R, T* sums,
    T* grad_shape) {
  T grad_z[kVertexBlock];
  T torque_x = 0, torque_y = 0, torque_z = 0, sum_x = 0, sum_y = 0, sum_scale = 0;
#pragma omp simd reduction(+ : torque_x, torque_y, torque_z, sum_x, sum_y, sum_scale)
  for (int64_t i = 0; i < kVertexBlock; ++i) {
    const bool finite = is_finite(block.x[i]) & is_finite(block.y[i]);
    const T hx = finite ? grad_x[i] : T(0), hy = finite ? -grad_y[i] : T(0);
    const T px = finite ? block.px[i] : T(0), py = finite ? block.py[i] : T(0), pz = finite ? block.pz[i] : T(0);
    torque_x -= pz * hy;
    torque_y += pz * hx;
    torque_z += px * hy - py * hx;
    sum_x += hx;
    sum_y -= hy;
    sum_scale += px * hx + py * hy;
    grad_x[i] = R.m[0][0] * hx + R.m[1][0] * hy;
    grad_y[i] = R.m[0][1] * hx + R.m[1][1] * hy;
    grad_z[i] = R.m[0][2] * hx + R.m[1][2] * hy;
  }
  join_vectors(grad_x, grad_y, grad_z, grad_shape);
  const T all[kRigidSums] = {torque_x, torque_y, torque_z, sum_x, sum_y, sum_scale};
  for (int i = 0; i < kRigidSums; ++i) {
    sums[i] = all[i];
  }
}

}  // namespace

template <class T, class I>
void warp_block(const WarpParams<T, I>& p, int64_t block, int64_t group) {
  const int64_t b0 = group * kImageGroup, images = p.B - b0 < kImageGroup ? p.B - b0 : kImageGroup;
  const int64_t first = block * kVertexBlock;
  T shapes[kImageGroup * 3 * kVertexBlock];
  ProjectedBlock<T> projected;
  TexelBlock<T> texels;
  const int64_t n = group_shapes(p, block, b0, images, shapes);
  for (int64_t b = b0; b < b0 + images; ++b) {
    project_block(shapes + (b - b0) * 3 * kVertexBlock, p.poses[b], projected);
    mask_block(
        projected, n, static_cast<T>(p.W - 1), static_cast<T>(p.H - 1), p.valid == nullptr ? nullptr : p.valid + first,
        p.mask + b * p.N + first);
    if (p.points != nullptr) {
      store_points(projected, n, p.points + 3 * (b * p.N + first));
    }
    locate_block(projected.x, projected.y, n, p.H, p.W, texels);
    for (int64_t plane = b * p.C; plane < (b + 1) * p.C; ++plane) {
      sample_plane(p.image + plane * p.H * p.W, texels, n, p.texture + plane * p.N + first);
    }
  }
}

// The points alone, as warp_block makes them.
template <class T, class I>
void warp_points_block(const WarpParams<T, I>& p, int64_t block, int64_t group) {
  const int64_t b0 = group * kImageGroup, images = p.B - b0 < kImageGroup ? p.B - b0 : kImageGroup;
  T shapes[kImageGroup * 3 * kVertexBlock];
  ProjectedBlock<T> projected;
  const int64_t n = group_shapes(p, block, b0, images, shapes);
  for (int64_t b = b0; b < b0 + images; ++b) {
    project_block(shapes + (b - b0) * 3 * kVertexBlock, p.poses[b], projected);
    store_points(projected, n, p.points + 3 * (b * p.N + block * kVertexBlock));
  }
}

// One block's part of the gradient to theta, for a group of images.
template <class T, class I>
void warp_grad_theta_block(const WarpParams<T, I>& p, int64_t block, int64_t group) {
  const int64_t b0 = group * kImageGroup, images = p.B - b0 < kImageGroup ? p.B - b0 : kImageGroup;
  const int64_t first = block * kVertexBlock, D = 6 + p.K;
  T shapes[kImageGroup * 3 * kVertexBlock];
  ProjectedBlock<T> projected;
  TexelBlock<T> texels;
  const int64_t n = group_shapes(p, block, b0, images, shapes);
  T* parts = p.grad_parts + (block * p.B + b0) * D;
  __builtin_memset(parts, 0, sizeof(T) * static_cast<size_t>(images * D));
  for (int64_t b = b0; b < b0 + images; ++b) {
    T grad_x[kVertexBlock] = {}, grad_y[kVertexBlock] = {}, grad_z[kVertexBlock];
    T* shape = shapes + (b - b0) * 3 * kVertexBlock;
    project_block(shape, p.poses[b], projected);
    locate_block(projected.x, projected.y, n, p.H, p.W, texels);
    for (int64_t plane = b * p.C; plane < (b + 1) * p.C && p.grad_texture != nullptr; ++plane) {
      add_point_gradients(p.image + plane * p.H * p.W, texels, p.grad_texture + plane * p.N + first, n, grad_x, grad_y);
    }
    if (p.grad_points != nullptr) {
      split_point_gradients(p.grad_points + 3 * (b * p.N + first), n, grad_x, grad_y, grad_z);
    }
    pose_sums(projected, grad_x, grad_y, p.poses[b].rotation, parts + (b - b0) * D, shape);
    if (p.grad_points != nullptr) {
      add_depth_sums(projected, grad_z, p.poses[b].rotation, n, parts + (b - b0) * D, shape);
    }
  }
  const ModelBlock<T> model = model_block(p.mean, p.basis, p.N, p.K, block);
  add_shape_gradients(model, shapes, 3 * kVertexBlock, images, parts + kRigidSums, D);
}

// The gradient to some planes of one image, in vertex order.
template <class T, class I>
void warp_grad_planes(const WarpParams<T, I>& p, int64_t b, int64_t first_plane, int64_t planes, T* grad_planes) {
  T shape[3 * kVertexBlock];
  ProjectedBlock<T> projected;
  TexelBlock<T> texels;
  TexelWeights<T> weights;
  for (int64_t block = 0; block * kVertexBlock < p.N; ++block) {
    const int64_t n = group_shapes(p, block, b, 1, shape);
    project_block(shape, p.poses[b], projected);
    locate_block(projected.x, projected.y, n, p.H, p.W, texels);
    weigh_texels(texels, weights);
    for (int64_t c = 0; c < planes; ++c) {
      const I* grad = p.grad_texture + (b * p.C + first_plane + c) * p.N + block * kVertexBlock;
      add_plane_gradients(texels, weights, grad, n, grad_planes + c * p.H * p.W);
    }
  }
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
