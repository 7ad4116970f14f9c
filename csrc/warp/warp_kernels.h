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

// The basis of a band of blocks, which should fit in a core's second-level cache with the images that pass.
constexpr int64_t kBandBytes = 512 * 1024;

// One image in one block of vertices. A task is a block with a group of images, one after the other. Consecutive tasks
// are the blocks of a band for one group, then for the next one: so a group's images stay near, and the basis too.
struct WarpPlace {
  int64_t task, block, first, b0, images, b;  // first vertex and first image of the task; image

  int64_t member() const {
    return b - b0;
  }
};

// The task's first image; one past the last task, any place with its number.
template <class T, class I>
WarpPlace first_place(const WarpParams<T, I>& p, int64_t task) {
  const int64_t groups = (p.B + kImageGroup - 1) / kImageGroup, blocks = (p.N + kVertexBlock - 1) / kVertexBlock;
  const int64_t block_bytes = 3 * kVertexBlock * (p.K + 1) * static_cast<int64_t>(sizeof(T));
  const int64_t band = kBandBytes > block_bytes ? kBandBytes / block_bytes : 1;
  const int64_t start = task / (band * groups) * band, rest = blocks - start;
  const int64_t in_band = rest < 1 ? 1 : rest < band ? rest : band, place = task - start * groups;
  const int64_t block = start + place % in_band, b0 = place / in_band * kImageGroup;
  return {task, block, block * kVertexBlock, b0, p.B - b0 < kImageGroup ? p.B - b0 : kImageGroup, b0};
}

template <class T, class I>
WarpPlace place_after(const WarpParams<T, I>& p, WarpPlace at) {
  if (at.member() + 1 == at.images) {
    return first_place(p, at.task + 1);
  }
  ++at.b;
  return at;
}

// The shapes of a task's images in its block: images x (3 kVertexBlock).
template <class T>
using GroupShapes = T[kImageGroup][3 * kVertexBlock];

template <class T, class I>
void group_shapes(const WarpParams<T, I>& p, const WarpPlace& at, GroupShapes<T>& shapes) {
  const ModelBlock<T> model = model_block(p.mean, p.basis, p.N, p.K, at.block);
  add_shapes(model, p.theta + at.b0 * (6 + p.K) + 6, 6 + p.K, at.images, shapes[0], 3 * kVertexBlock);
  for (int64_t b = 0; b < at.images; ++b) {
    for (int64_t j = model.columns; j < 3 * kVertexBlock; ++j) {
      shapes[b][j] = T(0);
    }
  }
}

// An image's vertices in a block: where they are seen and which texels are there.
template <class T>
struct PlacedBlock {
  int64_t n;  // vertices that count
  ProjectedBlock<T> projected;
  TexelBlock<T> texels;
};

template <class T, class I>
void place_block(const WarpParams<T, I>& p, const WarpPlace& at, const T* shape, PlacedBlock<T>& out) {
  out.n = p.N - at.first < kVertexBlock ? p.N - at.first : kVertexBlock;
  project_block(shape, p.poses[at.b], out.projected);
  locate_block(out.projected.x, out.projected.y, out.n, p.H, p.W, out.texels);
}

// visit(place, placed, shapes, next, next_placed) for all images of the tasks begin..end-1, where an image is placed
// while the one before it is still to be visited, which can then ask memory for its texels. After the last one next is
// in the task `end`.
template <class T, class I, class F>
void for_each_place(const WarpParams<T, I>& p, int64_t begin, int64_t end, const F& visit) {
  GroupShapes<T> shapes[2];  // of even and odd tasks
  PlacedBlock<T> placed[2];
  const auto enter = [&](const WarpPlace& at, PlacedBlock<T>& out) {
    if (at.member() == 0) {
      group_shapes(p, at, shapes[at.task % 2]);
    }
    place_block(p, at, shapes[at.task % 2][at.member()], out);
  };
  WarpPlace at = first_place(p, begin);
  enter(at, placed[0]);
  for (int turn = 0; at.task < end; turn = 1 - turn) {
    const WarpPlace next = place_after(p, at);
    if (next.task < end) {
      enter(next, placed[1 - turn]);
    }
    visit(at, placed[turn], shapes[at.task % 2], next, placed[1 - turn]);
    at = next;
  }
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
void warp_blocks(const WarpParams<T, I>& p, int64_t begin, int64_t end) {
  const int64_t pixels = p.H * p.W;
  for_each_place(
      p, begin, end, [&](const auto& at, const auto& block, auto&, const auto& next, const auto& next_block) {
        mask_block(
            block.projected, block.n, static_cast<T>(p.W - 1), static_cast<T>(p.H - 1),
            p.valid == nullptr ? nullptr : p.valid + at.first, p.mask + at.b * p.N + at.first);
        if (p.points != nullptr) {
          store_points(block.projected, block.n, p.points + 3 * (at.b * p.N + at.first));
        }
        const bool more = next.task < end;
        for (int64_t c = 0; c < p.C; ++c) {
          const int64_t plane = at.b * p.C + c, next_plane = next.b * p.C + c;
          sample_plane(
              p.image + plane * pixels, block.texels, block.n,
              {more ? p.image + next_plane * pixels : nullptr, &next_block.texels, nullptr},
              p.texture + plane * p.N + at.first);
        }
      });
}

// The points alone, as warp_blocks makes them.
template <class T, class I>
void warp_points_blocks(const WarpParams<T, I>& p, int64_t begin, int64_t end) {
  for_each_place(p, begin, end, [&](const auto& at, const auto& block, auto&, const auto&, const auto&) {
    store_points(block.projected, block.n, p.points + 3 * (at.b * p.N + at.first));
  });
}

// The blocks' parts of the gradient to theta.
template <class T, class I>
void warp_grad_theta_blocks(const WarpParams<T, I>& p, int64_t begin, int64_t end) {
  const int64_t pixels = p.H * p.W, D = 6 + p.K;
  for_each_place(
      p, begin, end, [&](const auto& at, auto& block, auto& shapes, const auto& next, const auto& next_block) {
        T grad_x[kVertexBlock] = {}, grad_y[kVertexBlock] = {}, grad_z[kVertexBlock];
        const bool more = next.task < end;
        for (int64_t c = 0; c < p.C && p.grad_texture != nullptr; ++c) {
          const int64_t plane = at.b * p.C + c, next_plane = next.b * p.C + c;
          add_point_gradients(
              p.image + plane * pixels, block.texels, p.grad_texture + plane * p.N + at.first, block.n,
              {more ? p.image + next_plane * pixels : nullptr, &next_block.texels,
               p.grad_texture + next_plane * p.N + next.first},
              grad_x, grad_y);
        }
        if (p.grad_points != nullptr) {
          split_point_gradients(p.grad_points + 3 * (at.b * p.N + at.first), block.n, grad_x, grad_y, grad_z);
        }
        const Mat3<T>& R = p.poses[at.b].rotation;
        T* sums = p.grad_parts + (at.block * p.B + at.b) * D;
        T* grad_shape = shapes[at.member()];  // in place of the shape
        pose_sums(block.projected, grad_x, grad_y, R, sums, grad_shape);
        if (p.grad_points != nullptr) {
          add_depth_sums(block.projected, grad_z, R, block.n, sums, grad_shape);
        }
        if (next.task != at.task) {
          T* parts = p.grad_parts + (at.block * p.B + at.b0) * D + kRigidSums;
          for (int64_t b = 0; b < at.images; ++b) {
            __builtin_memset(parts + b * D, 0, sizeof(T) * static_cast<size_t>(p.K));
          }
          const ModelBlock<T> model = model_block(p.mean, p.basis, p.N, p.K, at.block);
          add_shape_gradients(model, shapes[0], 3 * kVertexBlock, at.images, parts, D);
        }
      });
}

// The gradient to some planes of one image, in vertex order.
template <class T, class I>
void warp_grad_planes(const WarpParams<T, I>& p, int64_t b, int64_t first_plane, int64_t planes, T* grad_planes) {
  GroupShapes<T> shapes;
  PlacedBlock<T> placed;
  TexelWeights<T> weights;
  for (int64_t block = 0; block * kVertexBlock < p.N; ++block) {
    const WarpPlace at = {block, block, block * kVertexBlock, b, 1, b};
    group_shapes(p, at, shapes);
    place_block(p, at, shapes[0], placed);
    weigh_texels(placed.texels, weights);
    for (int64_t c = 0; c < planes; ++c) {
      const I* grad = p.grad_texture + (b * p.C + first_plane + c) * p.N + at.first;
      add_plane_gradients(placed.texels, weights, grad, placed.n, grad_planes + c * p.H * p.W);
    }
  }
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
