// What the kernels of both backends read and write.
#pragma once

#include "common/blocks.h"
#include "losses/losses_math.h"

namespace stn {

template <class T>
struct MaskedTexture {
  const T* texture;  // (B, C, P, Q)
  const T* mask;     // (B, 1, P, Q)
};

// Two textures that are compared texel by texel.
template <class T>
struct TexturePair {
  MaskedTexture<T> a, b;
  int64_t B, C, P, Q;
  bool mirror;  // b's columns are flipped

  TexturePair swapped() const {
    return {b, a, B, C, P, Q, mirror};
  }
};

// Gradients to the two sums of each image.
template <class T>
struct SumsGradient {
  const T* difference;  // (B,)
  const T* weight;      // (B,)
  T times;              // 2 where a and b are one texture, which gets the gradients of both; else 1
};

// Null where it is not needed.
template <class T>
struct MaskedGradient {
  T* texture;  // (B, C, P, Q)
  T* mask;     // (B, 1, P, Q)
};

// Some rows of one image.
struct TextureRows {
  int64_t b, first, last;
};

// What they add to its sums.
struct TextureSums {
  double difference, weight;
};

}  // namespace stn
