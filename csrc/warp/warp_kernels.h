// The fused chain, forward and backward (once for each instruction set: common/each_instruction_set.h).
namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

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
void warp_blocks(const WarpParams<T, I>& p, int64_t begin, int64_t end) {
  const T right = static_cast<T>(p.W - 1), bottom = static_cast<T>(p.H - 1);
  for_each_place(p, begin, end, [&](const WarpPlace& at, auto& block, auto&, const auto& next) {
    const bool* valid = p.valid == nullptr ? nullptr : p.valid + at.first;
    mask_block(block.projected, block.n, right, bottom, valid, p.mask + at.b * p.N + at.first);
    if (p.points != nullptr) {
      store_points(block.projected, block.n, p.points + 3 * (at.b * p.N + at.first));
    }
    for (int64_t c = 0; c < p.C; ++c) {
      const int64_t plane = at.b * p.C + c;
      sample_plane(
          p.image + plane * p.H * p.W, block.texels, block.n, next_plane<T, I>(p, next, c, nullptr),
          p.texture + plane * p.N + at.first);
    }
  });
}

// The points alone, as warp_blocks makes them.
template <class T, class I>
void warp_points_blocks(const WarpParams<T, I>& p, int64_t begin, int64_t end) {
  GroupShapes<T> shapes;
  ProjectedBlock<T> projected;
  for (WarpPlace at = first_place(p, begin); at.task < end; at = place_after(p, at)) {
    if (at.member() == 0) {
      group_shapes(p, at, shapes[0]);
    }
    project_block(shapes[at.member()], p.poses[at.b], projected);
    store_points(projected, vertices_at(p, at), p.points + 3 * (at.b * p.N + at.first));
  }
}

// A task's part of the gradient to its images' coefficients, from those to their shapes.
template <class T, class I>
void store_shape_parts(const WarpParams<T, I>& p, const WarpPlace& at, const T* grad_shapes) {
  const int64_t D = 6 + p.K;
  T* parts = p.grad_parts + (at.block * p.B + at.b0) * D + kRigidSums;
  for (int64_t b = 0; b < at.images; ++b) {
    __builtin_memset(parts + b * D, 0, sizeof(T) * static_cast<size_t>(p.K));
  }
  const ModelBlock<T> model = model_block(p.mean, p.basis, p.N, p.K, at.block);
  add_shape_gradients(model, grad_shapes, 3 * kVertexBlock, at.images, parts, D);
}

// The blocks' parts of the gradient to theta.
template <class T, class I>
void warp_grad_theta_blocks(const WarpParams<T, I>& p, int64_t begin, int64_t end) {
  for_each_place(p, begin, end, [&](const WarpPlace& at, auto& block, auto& shapes, const auto& next) {
    T grad_x[kVertexBlock] = {}, grad_y[kVertexBlock] = {}, grad_z[kVertexBlock];
    for (int64_t c = 0; c < p.C && p.grad_texture != nullptr; ++c) {
      const int64_t plane = at.b * p.C + c;
      add_point_gradients(
          p.image + plane * p.H * p.W, block.texels, p.grad_texture + plane * p.N + at.first, block.n,
          next_plane(p, next, c, p.grad_texture), grad_x, grad_y);
    }
    if (p.grad_points != nullptr) {
      split_point_gradients(p.grad_points + 3 * (at.b * p.N + at.first), block.n, grad_x, grad_y, grad_z);
    }
    if (p.points != nullptr) {
      store_points(block.projected, block.n, p.points + 3 * (at.b * p.N + at.first));
    }
    const Mat3<T>& R = p.poses[at.b].rotation;
    T* sums = p.grad_parts + (at.block * p.B + at.b) * (6 + p.K);
    T* grad_shape = shapes[at.member()];  // in place of the shape
    pose_sums(block.projected, grad_x, grad_y, R, sums, grad_shape);
    if (p.grad_points != nullptr) {
      add_depth_sums(block.projected, grad_z, R, block.n, sums, grad_shape);
    }
    if (at.is_last()) {
      store_shape_parts(p, at, shapes[0]);
    }
  });
}

// The gradient to some planes of one image, whose points are made, in vertex order.
template <class T, class I>
void warp_grad_planes(const WarpParams<T, I>& p, int64_t b, int64_t first_plane, int64_t planes, T* grad_planes) {
  TexelBlock<T> texels;
  TexelWeights<T> weights;
  for (int64_t block = 0; block * kVertexBlock < p.N; ++block) {
    const int64_t n = locate_points(p.points + 3 * b * p.N, int64_t(3), p.N, p.H, p.W, block, texels);
    weigh_texels(texels, weights);
    for (int64_t c = 0; c < planes; ++c) {
      const I* grad = p.grad_texture + (b * p.C + first_plane + c) * p.N + block * kVertexBlock;
      add_plane_gradients(texels, weights, grad, n, grad_planes + c * p.H * p.W);
    }
  }
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
