// Bilinear sampling of one block of points, and its derivatives (once for each instruction set:
// common/each_instruction_set.h). The loops over a block's points are written to become vector code with gathers.
namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

// Fills the whole block: places beyond n repeat the first point.
template <class T>
void locate_block(
    T* __restrict__ x, T* __restrict__ y, int64_t n, int64_t H, int64_t W, TexelBlock<T>& __restrict__ texels) {
  const int32_t height = static_cast<int32_t>(H), width = static_cast<int32_t>(W);
  for (int64_t i = n; i < kVertexBlock; ++i) {
    x[i] = x[0];
    y[i] = y[0];
  }
  int32_t cut = 0;  // points whose four texels do not all lie in the image
  for (int64_t i = 0; i < kVertexBlock; ++i) {
    const AxisPlace<T> column = axis_place(x[i], width), row = axis_place(y[i], height);
    texels.first[i] = row.first * width + column.first;
    texels.x_place[i] = column.place;
    texels.y_place[i] = row.place;
    const bool interior = (column.place >= T(0)) & (column.place < T(1)) & (row.place >= T(0)) & (row.place < T(1));
    cut += interior ? 0 : 1;
  }
  texels.right = width > 1 ? 1 : 0;
  texels.lower = height > 1 ? width : 0;
  texels.interior = cut == 0 && width > 1 && height > 1;
}

// Asks memory for what some lanes of a block will read when its turn comes. Texels of every other point: the next one
// is seldom on other cache lines. To the second-level cache, for the first one is in use. Inlined, since GCC drops
// calls of a function that does no more than this.
template <class T, class I>
STN_HD void ask_for_texels(const NextPlane<T, I>& next, int64_t lane) {
  const int32_t* first = next.texels->first;
  for (int64_t i = lane; i < lane + kGatherLanes; i += 2) {
    __builtin_prefetch(next.plane + first[i], 0, 2);
    __builtin_prefetch(next.plane + next.texels->lower + first[i], 0, 2);
  }
  if (next.grad != nullptr && lane < next.n) {
    __builtin_prefetch(next.grad + lane, 0, 2);
  }
}

// Rounds n up: the texels beyond are good ones (locate_block).
template <class T, class I>
void read_texels(
    const I* plane, const TexelBlock<T>& texels, int64_t n, const NextPlane<T, I>& next, TexelValues<T>& values) {
  for (int64_t i = 0; i < n; i += kGatherLanes) {
    if (next.plane != nullptr) {
      ask_for_texels(next, i);
    }
    const int32_t* first = texels.first + i;
    gather_pairs(plane, first, texels.right, values.upper_left + i, values.upper_right + i);
    gather_pairs(plane + texels.lower, first, texels.right, values.lower_left + i, values.lower_right + i);
  }
}

// One plane (H, W) at the block's points.
template <class T, class I>
void sample_plane(
    const I* plane, const TexelBlock<T>& __restrict__ t, int64_t n, const NextPlane<T, I>& next, I* __restrict__ out) {
  TexelValues<T> v;
  read_texels(plane, t, n, next, v);
  if (t.interior) {
    for (int64_t i = 0; i < n; ++i) {
      const T upper = interpolate(v.upper_left[i], v.upper_right[i], t.x_place[i]);
      const T lower = interpolate(v.lower_left[i], v.lower_right[i], t.x_place[i]);
      out[i] = static_cast<I>(interpolate(upper, lower, t.y_place[i]));
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    const PairWeights<T> x = pair_weights(t.x_place[i], t.right != 0), y = pair_weights(t.y_place[i], t.lower != 0);
    const T upper = x.sum(v.upper_left[i], v.upper_right[i]), lower = x.sum(v.lower_left[i], v.lower_right[i]);
    out[i] = static_cast<I>(y.sum(upper, lower));
  }
}

// Adds one plane's part of the gradient to the points.
template <class T, class I>
void add_point_gradients(
    const I* plane, const TexelBlock<T>& __restrict__ t, const I* __restrict__ grad, int64_t n,
    const NextPlane<T, I>& next, T* __restrict__ grad_x, T* __restrict__ grad_y) {
  TexelValues<T> v;
  read_texels(plane, t, n, next, v);
  if (t.interior) {
    for (int64_t i = 0; i < n; ++i) {
      const T g = static_cast<T>(grad[i]), x = t.x_place[i];
      const T upper_dx = v.upper_right[i] - v.upper_left[i], lower_dx = v.lower_right[i] - v.lower_left[i];
      const T upper = interpolate(v.upper_left[i], v.upper_right[i], x);
      const T lower = interpolate(v.lower_left[i], v.lower_right[i], x);
      grad_x[i] += g * interpolate(upper_dx, lower_dx, t.y_place[i]);
      grad_y[i] += g * (lower - upper);
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    const PairWeights<T> x = pair_weights(t.x_place[i], t.right != 0), y = pair_weights(t.y_place[i], t.lower != 0);
    const T upper = x.sum(v.upper_left[i], v.upper_right[i]), lower = x.sum(v.lower_left[i], v.lower_right[i]);
    const T upper_dx = x.slope(v.upper_left[i], v.upper_right[i]),
            lower_dx = x.slope(v.lower_left[i], v.lower_right[i]);
    const T g = static_cast<T>(grad[i]);
    grad_x[i] += g * y.sum(upper_dx, lower_dx);
    grad_y[i] += g * y.slope(upper, lower);
  }
}

template <class T>
void weigh_texels(const TexelBlock<T>& __restrict__ t, TexelWeights<T>& __restrict__ weights) {
  for (int64_t i = 0; i < kVertexBlock; ++i) {
    const PairWeights<T> x = pair_weights(t.x_place[i], t.right != 0), y = pair_weights(t.y_place[i], t.lower != 0);
    const T left = x.sum(T(1), T(0)), right = x.sum(T(0), T(1)), upper = y.sum(T(1), T(0)), lower = y.sum(T(0), T(1));
    weights.upper_left[i] = upper * left;
    weights.upper_right[i] = upper * right;
    weights.lower_left[i] = lower * left;
    weights.lower_right[i] = lower * right;
  }
}

// Adds the block's gradient to one plane, point after point: points share texels, so the order is fixed.
template <class T, class I>
void add_plane_gradients(
    const TexelBlock<T>& t, const TexelWeights<T>& weights, const I* __restrict__ grad, int64_t n,
    T* __restrict__ grad_plane) {
  const auto add = [grad_plane](int32_t texel, T weight, T g) {
    if (weight != T(0)) {
      grad_plane[texel] += weight * g;
    }
  };
  for (int64_t i = 0; i < n; ++i) {
    const T g = static_cast<T>(grad[i]);
    add(t.first[i], weights.upper_left[i], g);
    add(t.first[i] + t.right, weights.upper_right[i], g);
    add(t.first[i] + t.lower, weights.lower_left[i], g);
    add(t.first[i] + t.lower + t.right, weights.lower_right[i], g);
  }
}

template <class T>
int64_t locate_points(
    const T* points, int64_t D, int64_t N, int64_t H, int64_t W, int64_t block, TexelBlock<T>& texels) {
  const int64_t first = block * kVertexBlock, n = N - first < kVertexBlock ? N - first : kVertexBlock;
  T x[kVertexBlock], y[kVertexBlock];
  for (int64_t i = 0; i < n; ++i) {
    x[i] = points[(first + i) * D];
    y[i] = points[(first + i) * D + 1];
  }
  locate_block(x, y, n, H, W, texels);
  return n;
}

}  // namespace

template <class T, class I>
void sample_block(const SampleParams<T, I>& p, int64_t b, int64_t block) {
  TexelBlock<T> texels;
  const int64_t n = locate_points(p.points + b * p.N * p.D, p.D, p.N, p.H, p.W, block, texels);
  for (int64_t plane = b * p.C; plane < (b + 1) * p.C; ++plane) {
    sample_plane(p.image + plane * p.H * p.W, texels, n, {}, p.samples + plane * p.N + block * kVertexBlock);
  }
}

template <class T, class I>
void sample_grad_points_block(const SampleParams<T, I>& p, int64_t b, int64_t block) {
  TexelBlock<T> texels;
  T grad_x[kVertexBlock] = {}, grad_y[kVertexBlock] = {};
  const int64_t n = locate_points(p.points + b * p.N * p.D, p.D, p.N, p.H, p.W, block, texels);
  for (int64_t plane = b * p.C; plane < (b + 1) * p.C; ++plane) {
    add_point_gradients(
        p.image + plane * p.H * p.W, texels, p.grad_samples + plane * p.N + block * kVertexBlock, n, {}, grad_x,
        grad_y);
  }
  T* out = p.grad_points + (b * p.N + block * kVertexBlock) * p.D;
  for (int64_t i = 0; i < n; ++i) {
    out[i * p.D] = grad_x[i];
    out[i * p.D + 1] = grad_y[i];
    if (p.D == 3) {
      out[i * p.D + 2] = T(0);
    }
  }
}

// The whole gradient of one plane, which no other task touches.
template <class T, class I>
void sample_grad_plane(const SampleParams<T, I>& p, int64_t plane, T* grad_plane) {
  TexelBlock<T> texels;
  TexelWeights<T> weights;
  const T* points = p.points + plane / p.C * p.N * p.D;
  for (int64_t block = 0; block * kVertexBlock < p.N; ++block) {
    const int64_t n = locate_points(points, p.D, p.N, p.H, p.W, block, texels);
    weigh_texels(texels, weights);
    add_plane_gradients(texels, weights, p.grad_samples + plane * p.N + block * kVertexBlock, n, grad_plane);
  }
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
