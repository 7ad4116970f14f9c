// Blocks of columns times groups of images: each task reads its part of the basis once for its whole group. The
// gradient to alpha is summed from per-block parts in block order, whatever the number of threads.
#include "common/tensor.h"
#include "vertices/vertices_params.h"

#define STN_KERNELS "vertices/vertices_all_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {
namespace {

void check_model(const Tensor& alpha, const Tensor& basis) {
  require(basis.dim() == 3 && basis.size(2) == 3, "vertices: basis must be (K, N, 3)");
  require(alpha.dim() == 2 && alpha.size(1) == basis.size(0), "vertices: alpha must be (B, K)");
  require(alpha.scalar_type() == basis.scalar_type(), "vertices: alpha and basis must have one dtype");
}

Tensor vertices_cpu(const Tensor& alpha_in, const Tensor& mean_in, const Tensor& basis_in) {
  check_model(alpha_in, basis_in);
  const Tensor alpha = as_contiguous(alpha_in), mean = as_contiguous(mean_in), basis = as_contiguous(basis_in);
  const int64_t B = alpha.size(0), K = basis.size(0), N = basis.size(1);
  require_shape(mean, {N, 3}, "vertices: mean must be (N, 3)");
  require(mean.scalar_type() == alpha.scalar_type(), "vertices: mean and alpha must have one dtype");
  const Tensor vertices = uninitialised(alpha, {B, N, 3});
  const int64_t blocks = ceil_divide(N, kVertexBlock), groups = ceil_divide(B, kImageGroup);
  dispatch_floating(alpha, "vertices", [&](auto type) {
    using T = decltype(type);
    const VerticesParams<T> params = {
        pointer<T>(alpha), pointer<T>(mean), pointer<T>(basis), nullptr, mutable_pointer<T>(vertices), B, N, K};
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
    const Tensor& grad_vertices_in, const Tensor& alpha_in, const Tensor& basis_in, bool alpha_needed, bool mean_needed,
    bool basis_needed) {
  check_model(alpha_in, basis_in);
  const Tensor grad_vertices = as_contiguous(grad_vertices_in);
  const Tensor alpha = as_contiguous(alpha_in), basis = as_contiguous(basis_in);
  const int64_t B = alpha.size(0), K = basis.size(0), N = basis.size(1);
  require_shape(grad_vertices, {B, N, 3}, "vertices_backward: grad_vertices must be (B, N, 3)");
  require(
      grad_vertices.scalar_type() == alpha.scalar_type(),
      "vertices_backward: grad_vertices and alpha must have one dtype");
  const Tensor grad_alpha = alpha_needed ? uninitialised(alpha, {B, K}) : uninitialised(alpha, {0});
  if (alpha_needed) {
    const Tensor parts = uninitialised(alpha, {ceil_divide(N, kVertexBlock), B, K});
    dispatch_floating(alpha, "vertices_backward", [&](auto type) {
      using T = decltype(type);
      const VerticesParams<T> params = {
          pointer<T>(alpha), nullptr, pointer<T>(basis), pointer<T>(grad_vertices), mutable_pointer<T>(parts), B, N, K};
      grad_alpha_cpu(params, mutable_pointer<T>(grad_alpha));
    });
  }
  const Tensor flat = torch::stable::view(grad_vertices, {B, 3 * N});
  Tensor grad_mean = uninitialised(alpha, {0});
  if (mean_needed) {
    const Tensor ones = torch::stable::fill_(uninitialised(alpha, {1, B}), 1.0);
    grad_mean = torch::stable::view(torch::stable::matmul(ones, flat), {N, 3});
  }
  Tensor grad_basis = uninitialised(alpha, {0});
  if (basis_needed) {
    grad_basis = torch::stable::view(torch::stable::matmul(torch::stable::transpose(alpha, 0, 1), flat), {K, N, 3});
  }
  return {grad_alpha, grad_mean, grad_basis};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("vertices", TORCH_BOX(&stn::vertices_cpu));
  library.impl("vertices_backward", TORCH_BOX(&stn::vertices_backward_cpu));
}
