// Blocks of columns times groups of images: each task reads its part of the basis once for its whole group. The
// gradient to alpha is summed from per-block parts in block order, whatever the number of threads.
#include "vertices/vertices_inputs.h"
#include "vertices/vertices_params.h"

#define STN_KERNELS "vertices/vertices_all_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {
namespace {

// Deterministic always.
Tensor vertices_cpu(const Tensor& alpha, const Tensor& mean_in, const Tensor& basis, bool /*deterministic*/) {
  const VerticesInputs in(alpha, basis);
  const VerticesMean mean(in, mean_in);
  const Tensor vertices = uninitialised(in.alpha, {in.B, in.N, 3});
  const int64_t blocks = ceil_divide(in.N, kVertexBlock), groups = ceil_divide(in.B, kImageGroup);
  dispatch_floating(in.alpha, "vertices", [&](auto type) {
    using T = decltype(type);
    const VerticesParams<T> params = {
        pointer<T>(in.alpha),
        pointer<T>(mean.mean),
        pointer<T>(in.basis),
        nullptr,
        mutable_pointer<T>(vertices),
        in.B,
        in.N,
        in.K};
    const auto kernel = STN_CHOOSE_KERNEL(vertices_block<T>);
    torch::stable::parallel_for(0, blocks * groups, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        kernel(params, task / groups, task % groups);
      }
    });
  });
  return vertices;
}

// grad_alpha (B, K) from the blocks' parts, in block order.
template <class T>
void grad_alpha_cpu(const VerticesParams<T>& params, T* grad_alpha) {
  const int64_t blocks = ceil_divide(params.N, kVertexBlock), BK = params.B * params.K;
  const auto kernel = STN_CHOOSE_KERNEL(vertices_backward_block<T>);
  torch::stable::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      kernel(params, block);
    }
  });
  for (int64_t i = 0; i < BK; ++i) {
    double sum = 0;
    for (int64_t block = 0; block < blocks; ++block) {
      sum += static_cast<double>(params.out[block * BK + i]);
    }
    grad_alpha[i] = static_cast<T>(sum);
  }
}

std::tuple<Tensor, Tensor, Tensor> vertices_backward_cpu(
    const Tensor& grad_vertices, const Tensor& alpha, const Tensor& basis, bool alpha_needed, bool mean_needed,
    bool basis_needed) {
  const VerticesInputs in(alpha, basis);
  const VerticesGradient grad(in, grad_vertices);
  const Tensor grad_alpha = alpha_needed ? uninitialised(in.alpha, {in.B, in.K}) : uninitialised(in.alpha, {0});
  if (alpha_needed) {
    const Tensor parts = uninitialised(in.alpha, {ceil_divide(in.N, kVertexBlock), in.B, in.K});
    dispatch_floating(in.alpha, "vertices_backward", [&](auto type) {
      using T = decltype(type);
      const VerticesParams<T> params = {
          pointer<T>(in.alpha),
          nullptr,
          pointer<T>(in.basis),
          pointer<T>(grad.vertices),
          mutable_pointer<T>(parts),
          in.B,
          in.N,
          in.K};
      grad_alpha_cpu(params, mutable_pointer<T>(grad_alpha));
    });
  }
  Tensor grad_mean = uninitialised(in.alpha, {0});
  if (mean_needed) {
    const Tensor ones = torch::stable::fill_(uninitialised(in.alpha, {1, in.B}), 1.0);
    const auto sum = [&] { return torch::stable::matmul(ones, grad.flat()); };
    grad_mean = torch::stable::view(computed_by_pytorch("vertices_backward", sum), {in.N, 3});
  }
  const Tensor grad_basis = basis_needed ? grad.grad_basis(in) : uninitialised(in.alpha, {0});
  return {grad_alpha, grad_mean, grad_basis};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("vertices", TORCH_BOX(&stn::vertices_cpu));
  library.impl("vertices_backward", TORCH_BOX(&stn::vertices_backward_cpu));
}
