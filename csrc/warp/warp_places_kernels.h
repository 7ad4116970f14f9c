// The way of the fused kernels through blocks of vertices and groups of images: a group's shapes are made from one
// reading of a block of the basis and never leave the cache (once for each instruction set:
// common/each_instruction_set.h).
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

  bool is_last() const {
    return b + 1 == b0 + images;
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
  if (at.is_last()) {
    return first_place(p, at.task + 1);
  }
  ++at.b;
  return at;
}

// The shapes of a task's images in its block: images x (3 kVertexBlock).
template <class T>
using GroupShapes = T[kImageGroup][3 * kVertexBlock];

template <class T, class I>
void group_shapes(const WarpParams<T, I>& p, const WarpPlace& at, T* shapes) {
  const ModelBlock<T> model = model_block(p.mean, p.basis, p.N, p.K, at.block);
  add_shapes(model, p.theta + at.b0 * (6 + p.K) + 6, 6 + p.K, at.images, shapes, 3 * kVertexBlock);
  for (int64_t b = 0; b < at.images; ++b) {
    for (int64_t j = model.columns; j < 3 * kVertexBlock; ++j) {
      shapes[b * 3 * kVertexBlock + j] = T(0);
    }
  }
}

template <class T, class I>
int64_t vertices_at(const WarpParams<T, I>& p, const WarpPlace& at) {
  return p.N - at.first < kVertexBlock ? p.N - at.first : kVertexBlock;
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
  out.n = vertices_at(p, at);
  project_block(shape, p.poses[at.b], out.projected);
  locate_block(out.projected.x, out.projected.y, out.n, p.H, p.W, out.texels);
}

// The image that is visited after this one, and its block, nullptr if there is none.
template <class T>
struct NextPlace {
  WarpPlace at;
  const PlacedBlock<T>* block;
};

// Its plane c, to be asked for; grads (B, C, N), those to its samples, or nullptr.
template <class T, class I>
NextPlane<T, I> next_plane(const WarpParams<T, I>& p, const NextPlace<T>& next, int64_t c, const I* grads) {
  if (next.block == nullptr) {
    return {};
  }
  const int64_t plane = next.at.b * p.C + c;
  const I* grad = grads == nullptr ? nullptr : grads + plane * p.N + next.at.first;
  return {p.image + plane * p.H * p.W, &next.block->texels, grad, next.block->n};
}

// visit(place, its block, the task's shapes, next) for all images of the tasks begin..end-1, where the next image is
// placed already, so that memory can be asked for its texels.
template <class T, class I, class F>
void for_each_place(const WarpParams<T, I>& p, int64_t begin, int64_t end, const F& visit) {
  GroupShapes<T> shapes[2];  // of even and odd tasks
  PlacedBlock<T> placed[2];
  const auto enter = [&](const WarpPlace& at, PlacedBlock<T>& out) {
    if (at.member() == 0) {
      group_shapes(p, at, shapes[at.task % 2][0]);
    }
    place_block(p, at, shapes[at.task % 2][at.member()], out);
  };
  WarpPlace at = first_place(p, begin);
  enter(at, placed[0]);
  for (int turn = 0; at.task < end; turn = 1 - turn) {
    const WarpPlace after = place_after(p, at);
    const bool more = after.task < end;
    if (more) {
      enter(after, placed[1 - turn]);
    }
    visit(at, placed[turn], shapes[at.task % 2], NextPlace<T>{after, more ? &placed[1 - turn] : nullptr});
    at = after;
  }
}

}  // namespace
}  // namespace STN_INSTRUCTIONS
}  // namespace stn
