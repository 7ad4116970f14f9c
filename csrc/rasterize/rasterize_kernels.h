// A face's depths along a row of pixels (once for each instruction set: common/each_instruction_set.h).
namespace stn {
namespace STN_INSTRUCTIONS {

// depths[i] for the n pixel centres (x + i, y) of the face's box: minus infinity where the face does not cover them.
template <class T>
void face_depths(const DrawnFace<T>& drawn, int32_t x, T y, int32_t n, T* __restrict__ depths) {
  constexpr T nothing = -std::numeric_limits<T>::infinity();
  const DrawnFace<T> face = drawn;  // which `depths` cannot change
#pragma omp simd
  for (int32_t i = 0; i < n; ++i) {
    const Fragment<T> fragment = fragment_at(face, static_cast<T>(x + i), y);
    depths[i] = fragment.covered ? fragment.depth : nothing;
  }
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
