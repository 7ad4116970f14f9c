// The operators texture_difference and texture_asymmetry on CUDA tensors; their kernels are in losses_cuda.cu.
#include "losses/losses_cuda.h"

#include "common/cuda_device.h"
#include "losses/losses_inputs.h"

namespace stn {
namespace {

std::tuple<Tensor, Tensor> sums_cuda(const TextureInputs& in, CudaStream stream) {
  const int64_t chunks = ceil_divide(in.P * in.Q, kTexelChunk);
  const Tensor difference = uninitialised(in.texture_a, {in.B}), weight = uninitialised(in.texture_a, {in.B});
  const Tensor parts = uninitialised(in.texture_a, {chunks, in.B, 2}, ScalarType::Double);
  dispatch_floating(in.texture_a, "texture_difference", [&](auto type) {
    using T = decltype(type);
    const TextureDifferenceParams<T> params = {
        in.pair<T>(), mutable_pointer<T>(difference), mutable_pointer<T>(weight), mutable_pointer<double>(parts),
        chunks};
    launch_texture_difference(params, stream);
  });
  return {difference, weight};
}

template <class T>
void gradient_cuda(
    const TextureInputs& in, const SumsGradient<T>& sums, const MaskedGradient<T>& a, const MaskedGradient<T>& b,
    CudaStream stream) {
  const TextureGradientParams<T> params = {in.pair<T>(), sums, a, b, ceil_divide(in.P * in.Q, kTexelChunk)};
  launch_texture_gradient(params, stream);
}

std::tuple<Tensor, Tensor> texture_difference_cuda(
    const Tensor& texture_a, const Tensor& mask_a, const Tensor& texture_b, const Tensor& mask_b, bool mirror) {
  const OnDevice device("texture_difference", {&texture_a, &mask_a, &texture_b, &mask_b});
  return sums_cuda(TextureInputs(texture_a, mask_a, texture_b, mask_b, mirror), device.stream());
}

std::tuple<Tensor, Tensor, Tensor, Tensor> texture_difference_backward_cuda(
    const Tensor& grad_difference, const Tensor& grad_weight, const Tensor& texture_a, const Tensor& mask_a,
    const Tensor& texture_b, const Tensor& mask_b, bool mirror, bool texture_a_needed, bool mask_a_needed,
    bool texture_b_needed, bool mask_b_needed) {
  const OnDevice device(
      "texture_difference_backward", {&texture_a, &grad_difference, &grad_weight, &mask_a, &texture_b, &mask_b});
  const TextureInputs in(texture_a, mask_a, texture_b, mask_b, mirror);
  const TextureSumsGradient sums(in, grad_difference, grad_weight);
  const MaskedTextureGradient a(in, texture_a_needed, mask_a_needed), b(in, texture_b_needed, mask_b_needed);
  dispatch_floating(in.texture_a, "texture_difference_backward", [&](auto type) {
    using T = decltype(type);
    gradient_cuda(in, sums.params<T>(1), a.params<T>(), b.params<T>(), device.stream());
  });
  return {a.texture, a.mask, b.texture, b.mask};
}

std::tuple<Tensor, Tensor> texture_asymmetry_cuda(const Tensor& texture, const Tensor& mask) {
  const OnDevice device("texture_asymmetry", {&texture, &mask});
  return sums_cuda(mirrored_inputs(texture, mask), device.stream());
}

std::tuple<Tensor, Tensor> texture_asymmetry_backward_cuda(
    const Tensor& grad_difference, const Tensor& grad_weight, const Tensor& texture, const Tensor& mask,
    bool texture_needed, bool mask_needed) {
  const OnDevice device("texture_asymmetry_backward", {&texture, &grad_difference, &grad_weight, &mask});
  const TextureInputs in = mirrored_inputs(texture, mask);
  const TextureSumsGradient sums(in, grad_difference, grad_weight);
  const MaskedTextureGradient both(in, texture_needed, mask_needed);
  dispatch_floating(in.texture_a, "texture_asymmetry_backward", [&](auto type) {
    using T = decltype(type);
    gradient_cuda(in, sums.params<T>(2), both.params<T>(), {nullptr, nullptr}, device.stream());
  });
  return {both.texture, both.mask};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("texture_difference", TORCH_BOX(&stn::texture_difference_cuda));
  library.impl("texture_difference_backward", TORCH_BOX(&stn::texture_difference_backward_cuda));
  library.impl("texture_asymmetry", TORCH_BOX(&stn::texture_asymmetry_cuda));
  library.impl("texture_asymmetry_backward", TORCH_BOX(&stn::texture_asymmetry_backward_cuda));
}
