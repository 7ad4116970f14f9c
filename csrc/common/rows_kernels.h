// Sums of rows and products of rows over one block of columns, the two halves of a thin matrix product
// (once for each instruction set: common/each_instruction_set.h). R rows at a time, so that the sum or the vector is
// loaded once for all of them.
namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

// out[j] = base[j] + sum_r weight[r] rows[r][j] for j < n; base may be out.
template <int R, class T>
void add_rows(const T* base, const T* weight, const T* rows, int64_t row_stride, int64_t n, T* out) {
  T w[R];
  for (int r = 0; r < R; ++r) {
    w[r] = weight[r];
  }
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) {
    T sum = base[j];
    for (int r = 0; r < R; ++r) {
      sum += w[r] * rows[r * row_stride + j];
    }
    out[j] = sum;
  }
}

// out[r] += sum_j rows[r][j] vector[j] for j < n.
template <int R, class T>
void add_products(const T* vector, const T* rows, int64_t row_stride, int64_t n, T* out) {
  for (int r = 0; r < R; r += 4) {
    constexpr int most = R < 4 ? R : 4;
    const T* __restrict__ p = rows + r * row_stride;
    T a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
    for (int64_t j = 0; j < n; ++j) {
      a += p[j] * vector[j];
      b += most > 1 ? p[row_stride * (most > 1) + j] * vector[j] : T(0);
      c += most > 2 ? p[2 * row_stride * (most > 2) + j] * vector[j] : T(0);
      d += most > 3 ? p[3 * row_stride * (most > 3) + j] * vector[j] : T(0);
    }
    const T sums[4] = {a, b, c, d};
    for (int i = 0; i < most; ++i) {
      out[r + i] += sums[i];
    }
  }
}

// f(R, k) for chunks of rows R = 8, then 4, 2, 1, that cover k < K.
template <class F>
void for_each_chunk(int64_t K, const F& f) {
  int64_t k = 0;
  for (; k + 8 <= K; k += 8) {
    f(std::integral_constant<int, 8>(), k);
  }
  if (K - k >= 4) {
    f(std::integral_constant<int, 4>(), k);
    k += 4;
  }
  if (K - k >= 2) {
    f(std::integral_constant<int, 2>(), k);
    k += 2;
  }
  if (K - k >= 1) {
    f(std::integral_constant<int, 1>(), k);
  }
}

}  // namespace
}  // namespace STN_INSTRUCTIONS
}  // namespace stn
