// Launchers of the losses' kernels.
#pragma once

#include "common/cuda_stream.h"
#include "losses/losses_params.h"

namespace stn {

// Texels a block of the kernels: four a thread, whose reads overlap.
constexpr int64_t kTexelChunk = 1024;

template <class T>
struct TextureDifferenceParams {
  TexturePair<T> pair;
  T* difference;   // (B,)
  T* weight;       // (B,)
  double* parts;   // (chunks, B, 2), workspace: the chunks' sums of difference and weight
  int64_t chunks;  // of kTexelChunk texels
};

template <class T>
struct TextureGradientParams {
  TexturePair<T> pair;
  SumsGradient<T> sums;
  MaskedGradient<T> a, b;
  int64_t chunks;  // of kTexelChunk texels
};

template <class T>
void launch_texture_difference(const TextureDifferenceParams<T>& params, CudaStream stream);
template <class T>
void launch_texture_gradient(const TextureGradientParams<T>& params, CudaStream stream);

}  // namespace stn
