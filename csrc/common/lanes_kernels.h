// Loads and shuffles that the compiler does not find by itself (once for each instruction set:
// common/each_instruction_set.h): pairs of neighbouring texels, and vectors of three to and from separate arrays.
// Blocks are worked on whole: arrays hold kVertexBlock elements, whatever number of them counts.
#define STN_LANES_baseline 0
#define STN_LANES_avx2 1
#define STN_LANES_avx512 2
#define STN_LANES_JOIN(name) STN_LANES_##name
#define STN_LANES_OF(name) STN_LANES_JOIN(name)

namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

constexpr int64_t kGatherLanes = 16;

// AddressSanitizer does not see the gathers below: for it texels are loaded one by one.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kGathers = false;
#else
constexpr bool kGathers = true;
#endif

// left[i], right[i] = plane[index[i]], plane[index[i] + step] for i < kGatherLanes.
template <class T, class I>
void gather_pairs(
    const I* __restrict__ plane, const int32_t* __restrict__ index, int32_t step, T* __restrict__ left,
    T* __restrict__ right) {
#pragma omp simd
  for (int64_t i = 0; i < kGatherLanes; ++i) {
    left[i] = static_cast<T>(plane[index[i]]);
    right[i] = static_cast<T>(plane[index[i] + step]);
  }
}

// (x, y, z) of each vertex -> three arrays.
template <class T>
void split_vectors(const T* __restrict__ xyz, T* __restrict__ x, T* __restrict__ y, T* __restrict__ z) {
#pragma omp simd
  for (int64_t i = 0; i < kVertexBlock; ++i) {
    x[i] = xyz[3 * i];
    y[i] = xyz[3 * i + 1];
    z[i] = xyz[3 * i + 2];
  }
}

template <class T>
void join_vectors(const T* __restrict__ x, const T* __restrict__ y, const T* __restrict__ z, T* __restrict__ xyz) {
#pragma omp simd
  for (int64_t i = 0; i < kVertexBlock; ++i) {
    xyz[3 * i] = x[i];
    xyz[3 * i + 1] = y[i];
    xyz[3 * i + 2] = z[i];
  }
}

#if STN_LANES_OF(STN_INSTRUCTIONS) == 2

// With a mask, because GCC 12 warns of the uninitialised source in its own header otherwise.
inline __m512i gather_eight(const float* plane, const int32_t* index) {
  const __m256i places = _mm256_loadu_si256((const __m256i*)index);
  return _mm512_mask_i32gather_epi64(_mm512_setzero_si512(), 0xff, places, plane, 4);
}

// Gathering a pair as one 64-bit element halves the loads.
inline void gather_pairs(
    const float* __restrict__ plane, const int32_t* __restrict__ index, int32_t step, float* __restrict__ left,
    float* __restrict__ right) {
  if (step != 1 || !kGathers) {
    return gather_pairs<float, float>(plane, index, step, left, right);
  }
  const __m512i evens = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i odds = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  const __m512i first = gather_eight(plane, index), second = gather_eight(plane, index + 8);
  _mm512_storeu_si512(left, _mm512_permutex2var_epi32(first, evens, second));
  _mm512_storeu_si512(right, _mm512_permutex2var_epi32(first, odds, second));
}

// Lane i of coordinate c is float 3 i + c of the 48 in a, b and c: two shuffles of two registers each.
inline __m512 split_lanes(__m512 a, __m512 b, __m512 c, __m512i from_ab, __m512i from_c) {
  return _mm512_permutex2var_ps(_mm512_permutex2var_ps(a, from_ab, b), from_c, c);
}

inline void split_vectors(
    const float* __restrict__ xyz, float* __restrict__ x, float* __restrict__ y, float* __restrict__ z) {
  const __m512i ab_x = _mm512_setr_epi32(0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
  const __m512i ab_y = _mm512_setr_epi32(1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
  const __m512i ab_z = _mm512_setr_epi32(2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
  const __m512i c_x = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29);
  const __m512i c_y = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30);
  const __m512i c_z = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31);
  for (int64_t i = 0; i < kVertexBlock; i += 16) {
    const __m512 a = _mm512_loadu_ps(xyz + 3 * i), b = _mm512_loadu_ps(xyz + 3 * i + 16);
    const __m512 c = _mm512_loadu_ps(xyz + 3 * i + 32);
    _mm512_storeu_ps(x + i, split_lanes(a, b, c, ab_x, c_x));
    _mm512_storeu_ps(y + i, split_lanes(a, b, c, ab_y, c_y));
    _mm512_storeu_ps(z + i, split_lanes(a, b, c, ab_z, c_z));
  }
}

inline void join_vectors(
    const float* __restrict__ x, const float* __restrict__ y, const float* __restrict__ z, float* __restrict__ xyz) {
  // Lane l of part q is coordinate (16 q + l) % 3 of vertex (16 q + l) / 3; 16 and more name the second register.
  const __m512i xy_0 = _mm512_setr_epi32(0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
  const __m512i xy_1 = _mm512_setr_epi32(21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
  const __m512i xy_2 = _mm512_setr_epi32(0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
  const __m512i z_0 = _mm512_setr_epi32(0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15);
  const __m512i z_1 = _mm512_setr_epi32(0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15);
  const __m512i z_2 = _mm512_setr_epi32(26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31);
  for (int64_t i = 0; i < kVertexBlock; i += 16) {
    const __m512 a = _mm512_loadu_ps(x + i), b = _mm512_loadu_ps(y + i), c = _mm512_loadu_ps(z + i);
    _mm512_storeu_ps(xyz + 3 * i, split_lanes(a, b, c, xy_0, z_0));
    _mm512_storeu_ps(xyz + 3 * i + 16, split_lanes(a, b, c, xy_1, z_1));
    _mm512_storeu_ps(xyz + 3 * i + 32, split_lanes(a, b, c, xy_2, z_2));
  }
}

#elif STN_LANES_OF(STN_INSTRUCTIONS) == 1

inline void gather_pairs(
    const float* __restrict__ plane, const int32_t* __restrict__ index, int32_t step, float* __restrict__ left,
    float* __restrict__ right) {
  if (step != 1 || !kGathers) {
    return gather_pairs<float, float>(plane, index, step, left, right);
  }
  const auto* pairs = (const long long*)plane;
  for (int64_t i = 0; i < kGatherLanes; i += 8) {
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

#undef STN_LANES_baseline
#undef STN_LANES_avx2
#undef STN_LANES_avx512
#undef STN_LANES_JOIN
#undef STN_LANES_OF
