// Reads two neighbouring texels for each of n places (once for each instruction set:
// common/each_instruction_set.h). Gathering the pair as one 64-bit element halves the loads, which are what bilinear
// sampling is bound by.
#define STN_GATHER_baseline 0
#define STN_GATHER_avx2 1
#define STN_GATHER_avx512 2
#define STN_GATHER_JOIN(name) STN_GATHER_##name
#define STN_GATHER_OF(name) STN_GATHER_JOIN(name)

namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

template <class T, class I>
void gather_pairs(
    const I* __restrict__ plane, const int32_t* __restrict__ index, int32_t step, int64_t n, T* __restrict__ left,
    T* __restrict__ right) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    left[i] = static_cast<T>(plane[index[i]]);
    right[i] = static_cast<T>(plane[index[i] + step]);
  }
}

#if STN_GATHER_OF(STN_INSTRUCTIONS) == 2

// The whole block is gathered: the indices beyond n are 0 (locate_block).
inline void gather_pairs(
    const float* __restrict__ plane, const int32_t* __restrict__ index, int32_t step, int64_t n,
    float* __restrict__ left, float* __restrict__ right) {
  if (step != 1) {
    return gather_pairs<float, float>(plane, index, step, n, left, right);
  }
  const __m512i evens = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i odds = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  for (int64_t i = 0; i < n; i += 16) {
    const __m512i first = _mm512_i32gather_epi64(_mm256_loadu_si256((const __m256i*)(index + i)), plane, 4);
    const __m512i second = _mm512_i32gather_epi64(_mm256_loadu_si256((const __m256i*)(index + i + 8)), plane, 4);
    _mm512_storeu_si512(left + i, _mm512_permutex2var_epi32(first, evens, second));
    _mm512_storeu_si512(right + i, _mm512_permutex2var_epi32(first, odds, second));
  }
}

#elif STN_GATHER_OF(STN_INSTRUCTIONS) == 1

inline void gather_pairs(
    const float* __restrict__ plane, const int32_t* __restrict__ index, int32_t step, int64_t n,
    float* __restrict__ left, float* __restrict__ right) {
  if (step != 1) {
    return gather_pairs<float, float>(plane, index, step, n, left, right);
  }
  const auto* pairs = (const long long*)plane;
  for (int64_t i = 0; i < n; i += 8) {
    const __m256i first = _mm256_i32gather_epi64(pairs, _mm_loadu_si128((const __m128i*)(index + i)), 4);
    const __m256i second = _mm256_i32gather_epi64(pairs, _mm_loadu_si128((const __m128i*)(index + i + 4)), 4);
    // Both shuffles work within 128-bit halves: 0 1 4 5 | 2 3 6 7, which the 64-bit permutation puts in order.
    const __m256 a = _mm256_castsi256_ps(first), b = _mm256_castsi256_ps(second);
    const __m256d evens = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
    const __m256d odds = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xdd));
    _mm256_storeu_pd((double*)(left + i), _mm256_permute4x64_pd(evens, 0xd8));
    _mm256_storeu_pd((double*)(right + i), _mm256_permute4x64_pd(odds, 0xd8));
  }
}

#endif

}  // namespace
}  // namespace STN_INSTRUCTIONS
}  // namespace stn

#undef STN_GATHER_baseline
#undef STN_GATHER_avx2
#undef STN_GATHER_avx512
#undef STN_GATHER_JOIN
#undef STN_GATHER_OF
