// The arguments of texture_difference, texture_asymmetry and their backward operators, contiguous and of matching
// sizes, and their results.
#pragma once

#include <limits>

#include "common/tensor.h"
#include "losses/losses_params.h"

namespace stn {

struct TextureInputs {
  Tensor texture_a, mask_a, texture_b, mask_b;
  int64_t B, C, P, Q;
  bool mirror;

  TextureInputs(
      const Tensor& texture_a_in, const Tensor& mask_a_in, const Tensor& texture_b_in, const Tensor& mask_b_in,
      bool mirror_in)
      : texture_a(as_contiguous(texture_a_in)), mask_a(as_contiguous(mask_a_in)),
        texture_b(as_contiguous(texture_b_in)), mask_b(as_contiguous(mask_b_in)), mirror(mirror_in) {
    require(texture_a.dim() == 4, "texture_difference: textures must be (B, C, P, Q)");
    B = texture_a.size(0), C = texture_a.size(1), P = texture_a.size(2), Q = texture_a.size(3);
    require_shape(texture_b, {B, C, P, Q}, "texture_difference: both textures must have one shape");
    for (const Tensor* mask : {&mask_a, &mask_b}) {
      require_shape(*mask, {B, 1, P, Q}, "texture_difference: masks must be (B, 1, P, Q)");
    }
    require_dtype_of(
        texture_a, {&mask_a, &texture_b, &mask_b}, "texture_difference: all arguments must have one dtype");
    // Texel indices within a plane are 32-bit.
    require(
        Q == 0 || P <= std::numeric_limits<int32_t>::max() / Q,
        "texture_difference: a texture must have fewer than 2^31 texels");
  }

  template <class T>
  TexturePair<T> pair() const {
    return {
        {pointer<T>(texture_a), pointer<T>(mask_a)}, {pointer<T>(texture_b), pointer<T>(mask_b)}, B, C, P, Q, mirror};
  }
};

// A texture and its own mirror image.
inline TextureInputs mirrored_inputs(const Tensor& texture_in, const Tensor& mask_in) {
  const Tensor texture = as_contiguous(texture_in), mask = as_contiguous(mask_in);
  return TextureInputs(texture, mask, texture, mask, true);
}

struct TextureSumsGradient {
  Tensor difference, weight;

  TextureSumsGradient(const TextureInputs& in, const Tensor& difference_in, const Tensor& weight_in)
      : difference(as_contiguous(difference_in)), weight(as_contiguous(weight_in)) {
    for (const Tensor* sum : {&difference, &weight}) {
      require_shape(*sum, {in.B}, "texture_difference_backward: gradients to the sums must be (B,)");
    }
    require_dtype_of(
        in.texture_a, {&difference, &weight}, "texture_difference_backward: all arguments must have one dtype");
  }

  template <class T>
  SumsGradient<T> params(int times) const {
    return {pointer<T>(difference), pointer<T>(weight), T(times)};
  }
};

// A texture's and its mask's gradients, yet to be written; without elements where they are not needed.
struct MaskedTextureGradient {
  Tensor texture, mask;

  MaskedTextureGradient(const TextureInputs& in, bool texture_needed, bool mask_needed)
      : texture(
            texture_needed ? uninitialised(in.texture_a, {in.B, in.C, in.P, in.Q}) : uninitialised(in.texture_a, {0})),
        mask(mask_needed ? uninitialised(in.texture_a, {in.B, 1, in.P, in.Q}) : uninitialised(in.texture_a, {0})),
        texture_needed_(texture_needed), mask_needed_(mask_needed) {
  }

  template <class T>
  MaskedGradient<T> params() const {
    return {texture_needed_ ? mutable_pointer<T>(texture) : nullptr, mask_needed_ ? mutable_pointer<T>(mask) : nullptr};
  }

 private:
  bool texture_needed_, mask_needed_;
};

}  // namespace stn
