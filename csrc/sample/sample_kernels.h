// Bilinear sampling of one block of points, and its derivatives (once for each instruction set:
// common/each_instruction_set.h). The loops over a block's points are written to become vector code with gathers.
namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

// Fills the whole block: places beyond n repeat the plane's first texel with weight 0.
template <class T>
void locate_block(
    T* __restrict__ x, T* __restrict__ y, int64_t n, int64_t H, int64_t W, TexelBlock<T>& __restrict__ texels) {
  const int32_t height = static_cast<int32_t>(H), width = static_cast<int32_t>(W);
  const int32_t down = height > 1 ? width : 0;
  texels.right_step = width > 1 ? 1 : 0;
  for (int64_t i = n; i < kVertexBlock; ++i) {
    x[i] = y[i] = T(-2);
  }
#pragma omp simd
  for (int64_t i = 0; i < kVertexBlock; ++i) {
    const AxisTaps<T> column = axis_taps(x[i], width), row = axis_taps(y[i], height);
    texels.upper[i] = row.first * width + column.first;
    texels.lower[i] = row.first * width + column.first + down;
    texels.left_weight[i] = column.weight0;
    texels.right_weight[i] = column.weight1;
    texels.upper_weight[i] = row.weight0;
    texels.lower_weight[i] = row.weight1;
    texels.left_slope[i] = column.slope0;
    texels.right_slope[i] = column.slope1;
    texels.upper_slope[i] = row.slope0;
    texels.lower_slope[i] = row.slope1;
  }
}

template <class T, class I>
void read_texels(const I* plane, const TexelBlock<T>& texels, int64_t n, TexelValues<T>& values) {
  gather_pairs(plane, texels.upper, texels.right_step, n, values.upper_left, values.upper_right);
  gather_pairs(plane, texels.lower, texels.right_step, n, values.lower_left, values.lower_right);
}

// One plane (H, W) at the block's points.
template <class T, class I>
void sample_plane(const I* plane, const TexelBlock<T>& __restrict__ t, int64_t n, I* __restrict__ out) {
  TexelValues<T> v;
  read_texels(plane, t, n, v);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T upper = weighted_pair(t.left_weight[i], v.upper_left[i], t.right_weight[i], v.upper_right[i]);
    const T lower = weighted_pair(t.left_weight[i], v.lower_left[i], t.right_weight[i], v.lower_right[i]);
    out[i] = static_cast<I>(weighted_pair(t.upper_weight[i], upper, t.lower_weight[i], lower));
  }
}

// Adds one plane's part of the gradient to the points.
template <class T, class I>
void add_point_gradients(
    const I* plane, const TexelBlock<T>& __restrict__ t, const I* __restrict__ grad, int64_t n, T* __restrict__ grad_x,
    T* __restrict__ grad_y) {
  TexelValues<T> v;
  read_texels(plane, t, n, v);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T g = static_cast<T>(grad[i]);
    const T upper = weighted_pair(t.left_weight[i], v.upper_left[i], t.right_weight[i], v.upper_right[i]);
    const T lower = weighted_pair(t.left_weight[i], v.lower_left[i], t.right_weight[i], v.lower_right[i]);
    const T upper_dx = weighted_pair(t.left_slope[i], v.upper_left[i], t.right_slope[i], v.upper_right[i]);
    const T lower_dx = weighted_pair(t.left_slope[i], v.lower_left[i], t.right_slope[i], v.lower_right[i]);
    grad_x[i] += g * weighted_pair(t.upper_weight[i], upper_dx, t.lower_weight[i], lower_dx);
    grad_y[i] += g * weighted_pair(t.upper_slope[i], upper, t.lower_slope[i], lower);
  }
}

// Adds the block's gradient to one plane, point after point: points share texels, so the order is fixed.
template <class T, class I>
void add_plane_gradients(const TexelBlock<T>& t, const I* __restrict__ grad, int64_t n, T* __restrict__ grad_plane) {
  const auto add = [grad_plane](int32_t texel, T weight, T g) {
    if (weight != T(0)) {
      grad_plane[texel] += weight * g;
    }
  };
  for (int64_t i = 0; i < n; ++i) {
    const T g = static_cast<T>(grad[i]);
    add(t.upper[i], t.upper_weight[i] * t.left_weight[i], g);
    add(t.upper[i] + t.right_step, t.upper_weight[i] * t.right_weight[i], g);
    add(t.lower[i], t.lower_weight[i] * t.left_weight[i], g);
    add(t.lower[i] + t.right_step, t.lower_weight[i] * t.right_weight[i], g);
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
    sample_plane(p.image + plane * p.H * p.W, texels, n, p.samples + plane * p.N + block * kVertexBlock);
  }
}

template <class T, class I>
void sample_grad_points_block(const SampleParams<T, I>& p, int64_t b, int64_t block) {
  TexelBlock<T> texels;
  T grad_x[kVertexBlock] = {}, grad_y[kVertexBlock] = {};
  const int64_t n = locate_points(p.points + b * p.N * p.D, p.D, p.N, p.H, p.W, block, texels);
  for (int64_t plane = b * p.C; plane < (b + 1) * p.C; ++plane) {
    add_point_gradients(
        p.image + plane * p.H * p.W, texels, p.grad_samples + plane * p.N + block * kVertexBlock, n, grad_x, grad_y);
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
  const T* points = p.points + plane / p.C * p.N * p.D;
  for (int64_t block = 0; block * kVertexBlock < p.N; ++block) {
    const int64_t n = locate_points(points, p.D, p.N, p.H, p.W, block, texels);
    add_plane_gradients(texels, p.grad_samples + plane * p.N + block * kVertexBlock, n, grad_plane);
  }
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
