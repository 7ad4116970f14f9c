// Which of several successive candidates lie in a shadow, as many as a register holds (once for each instruction set:
// common/each_instruction_set.h). It only compares, so that nothing depends on the instruction set.
#define STN_REGISTER_baseline 16
#define STN_REGISTER_avx2 32
#define STN_REGISTER_avx512 64
#define STN_REGISTER_JOIN(name) STN_REGISTER_##name
#define STN_REGISTER_OF(name) STN_REGISTER_JOIN(name)

namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

template <class T>
struct Lanes {
  static constexpr size_t kBytes = STN_REGISTER_OF(STN_INSTRUCTIONS), kWidth = kBytes / sizeof(T);
  using Whole = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

  typedef T Values __attribute__((vector_size(kBytes)));
  typedef Whole Masks __attribute__((vector_size(kBytes)));
  typedef T LoadedValues __attribute__((vector_size(kBytes), aligned(sizeof(T)), may_alias));
  typedef int32_t LoadedVertices __attribute__((vector_size(4 * kWidth), aligned(4), may_alias));

  static Values load(const T* values) {
    return *reinterpret_cast<const LoadedValues*>(values);
  }

  static Masks load(const int32_t* vertices) {
    return __builtin_convertvector(*reinterpret_cast<const LoadedVertices*>(vertices), Masks);
  }
};

// Bit i of the result is lane i.
#if STN_REGISTER_OF(STN_INSTRUCTIONS) == 64
inline uint32_t bits_of(Lanes<float>::Masks lanes) {
  return _mm512_movepi32_mask((__m512i)lanes);
}
inline uint32_t bits_of(Lanes<double>::Masks lanes) {
  return _mm512_movepi64_mask((__m512i)lanes);
}
#elif STN_REGISTER_OF(STN_INSTRUCTIONS) == 32
inline uint32_t bits_of(Lanes<float>::Masks lanes) {
  return static_cast<uint32_t>(_mm256_movemask_ps((__m256)lanes));
}
inline uint32_t bits_of(Lanes<double>::Masks lanes) {
  return static_cast<uint32_t>(_mm256_movemask_pd((__m256d)lanes));
}
#elif defined(__SSE2__)
inline uint32_t bits_of(Lanes<float>::Masks lanes) {
  return static_cast<uint32_t>(_mm_movemask_ps((__m128)lanes));
}
inline uint32_t bits_of(Lanes<double>::Masks lanes) {
  return static_cast<uint32_t>(_mm_movemask_pd((__m128d)lanes));
}
#else
template <class Masks>
uint32_t bits_of(Masks lanes) {
  uint32_t bits = 0;
  for (size_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); ++i) {
    bits |= static_cast<uint32_t>(lanes[i] & 1) << i;
  }
  return bits;
}
#endif

template <class T>
class ShadowLanes {
 public:
  static constexpr auto kWidth = static_cast<int32_t>(Lanes<T>::kWidth);

  explicit ShadowLanes(const Shadow<T>& shadow)
      : x0_(shadow.low[0] - Values{}), x1_(shadow.high[0] - Values{}), y0_(shadow.low[1] - Values{}),
        y1_(shadow.high[1] - Values{}), nearest_(shadow.high[2] - Values{}), i_(shadow.face.i - Masks{}),
        j_(shadow.face.j - Masks{}), k_(shadow.face.k - Masks{}) {
  }

  // Bit i for the i-th candidate from `place` on, if it is no corner of the face.
  uint32_t hold(const SortedVertices<T>& vertices, int32_t place) const {
    const Values x = Lanes<T>::load(vertices.x + place), y = Lanes<T>::load(vertices.y + place);
    const Values depth = Lanes<T>::load(vertices.depth + place);
    const Masks vertex = Lanes<T>::load(vertices.vertex + place);
    return bits_of(
        (depth <= nearest_) & (x >= x0_) & (x <= x1_) & (y >= y0_) & (y <= y1_) & (vertex != i_) & (vertex != j_) &
        (vertex != k_));
  }

 private:
  using Values = typename Lanes<T>::Values;
  using Masks = typename Lanes<T>::Masks;

  Values x0_, x1_, y0_, y1_, nearest_;
  Masks i_, j_, k_;
};

}  // namespace
}  // namespace STN_INSTRUCTIONS
}  // namespace stn

#undef STN_REGISTER_baseline
#undef STN_REGISTER_avx2
#undef STN_REGISTER_avx512
#undef STN_REGISTER_JOIN
#undef STN_REGISTER_OF
