// The operator vertices on CUDA tensors: its own kernels (vertices_cuda.cu), or the library's matrix product.
#include "vertices/vertices_cuda.h"

#include <array>

#include "common/blocks.h"
#include "common/cuda_device.h"
#include "vertices/vertices_inputs.h"

namespace stn {
namespace {

// A product of (B, K) and (K, M) takes 2 B K M operations and moves at least 4 M (B + K) bytes in float32. An H200 does
// 60 T operations a second outside its tensor cores and copies 4.3 TB/s, so arithmetic outweighs memory from
// B K / (B + K) = 4 / 4.3 T x 60 T / 2 = 28 on: K = 50 for B = 64. (float64 halves both rates.) Below, memory is the
// bound, and the kernel here moves no byte twice; above, the library's products are better tuned, and the only way to
// the tensor cores. This is reasoning, not a measurement.
constexpr int64_t kArithmeticBound = 28;

bool arithmetic_outweighs_memory(int64_t B, int64_t K) {
  return static_cast<double>(B) * static_cast<double>(K) > static_cast<double>(kArithmeticBound * (B + K));
}

// alpha basis + mean by the library. Where PyTorch's settings allow TF32 it rounds alpha and basis, but not the mean,
// which is a hundred times larger than what the modes add.
Tensor product_by_library(const VerticesInputs& in, const VerticesMean& mean) {
  using torch::stable::detail::from;
  const int64_t M = 3 * in.N;
  const Tensor basis = torch::stable::view(in.basis, {in.K, M});
  const std::optional<Tensor> bias = torch::stable::view(mean.mean, {M});
  const Tensor product = computed_by_pytorch("vertices", [&] {
    std::array<StableIValue, 3> stack = {from(in.alpha), from(torch::stable::transpose(basis, 0, 1)), from(bias)};
    STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("aten::linear", "", stack.data(), TORCH_ABI_VERSION));
    return torch::stable::detail::to<Tensor>(stack[0]);
  });
  return torch::stable::view(product, {in.B, in.N, 3});
}

// Deterministic: by the kernels here in any case. The library may choose its order of summation by the batch and by
// what runs beside it, and PyTorch versions that demand CUBLAS_WORKSPACE_CONFIG for that refuse the product.
Tensor vertices_cuda(const Tensor& alpha, const Tensor& mean_in, const Tensor& basis, bool deterministic) {
  const OnDevice device("vertices", {&alpha, &mean_in, &basis});
  const VerticesInputs in(alpha, basis);
  const VerticesMean mean(in, mean_in);
  if (!deterministic && arithmetic_outweighs_memory(in.B, in.K)) {
    return product_by_library(in, mean);
  }
  const Tensor vertices = uninitialised(in.alpha, {in.B, in.N, 3});
  dispatch_floating(in.alpha, "vertices", [&](auto type) {
    using T = decltype(type);
    const ShapeParams<T> params = {pointer<T>(in.alpha),
                                   pointer<T>(mean.mean),
                                   pointer<T>(in.basis),
                                   mutable_pointer<T>(vertices),
                                   in.B,
                                   in.K,
                                   3 * in.N};
    launch_vertices(params, device.stream());
  });
  return vertices;
}

Tensor grad_alpha_cuda(const VerticesInputs& in, const VerticesGradient& grad, const OnDevice& device) {
  const int64_t chunks = ceil_divide(3 * in.N, kGradAlphaChunk);
  const Tensor grad_alpha = uninitialised(in.alpha, {in.B, in.K});
  const Tensor parts = uninitialised(in.alpha, {chunks, in.B, in.K});
  dispatch_floating(in.alpha, "vertices_backward", [&](auto type) {
    using T = decltype(type);
    const GradAlphaParams<T> params = {
        pointer<T>(grad.vertices),
        pointer<T>(in.basis),
        mutable_pointer<T>(parts),
        mutable_pointer<T>(grad_alpha),
        in.B,
        in.K,
        3 * in.N,
        chunks};
    launch_grad_alpha(params, device.stream());
  });
  return grad_alpha;
}

// A sum and not a product with ones, which TF32 would round.
Tensor grad_mean_by_library(const VerticesInputs& in, const VerticesGradient& grad) {
  const int64_t over_images = 0;
  const Tensor sum = computed_by_pytorch(
      "vertices_backward", [&] { return torch::stable::sum(grad.flat(), IntHeaderOnlyArrayRef(&over_images, 1)); });
  return torch::stable::view(sum, {in.N, 3});
}

std::tuple<Tensor, Tensor, Tensor> vertices_backward_cuda(
    const Tensor& grad_vertices, const Tensor& alpha, const Tensor& basis, bool alpha_needed, bool mean_needed,
    bool basis_needed) {
  const OnDevice device("vertices_backward", {&alpha, &grad_vertices, &basis});
  const VerticesInputs in(alpha, basis);
  const VerticesGradient grad(in, grad_vertices);
  const Tensor grad_alpha = alpha_needed ? grad_alpha_cuda(in, grad, device) : uninitialised(in.alpha, {0});
  const Tensor grad_mean = mean_needed ? grad_mean_by_library(in, grad) : uninitialised(in.alpha, {0});
  const Tensor grad_basis = basis_needed ? grad.grad_basis(in) : uninitialised(in.alpha, {0});
  return {grad_alpha, grad_mean, grad_basis};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("vertices", TORCH_BOX(&stn::vertices_cuda));
  library.impl("vertices_backward", TORCH_BOX(&stn::vertices_backward_cuda));
}
