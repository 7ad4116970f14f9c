// The arguments of vertices and vertices_backward, contiguous and of matching sizes.
#pragma once

#include "common/tensor.h"

namespace stn {

struct VerticesInputs {
  Tensor alpha, basis;
  int64_t B, K, N;

  VerticesInputs(const Tensor& alpha_in, const Tensor& basis_in)
      : alpha(as_contiguous(alpha_in)), basis(as_contiguous(basis_in)) {
    require(basis.dim() == 3 && basis.size(2) == 3, "vertices: basis must be (K, N, 3)");
    require(alpha.dim() == 2 && alpha.size(1) == basis.size(0), "vertices: alpha must be (B, K)");
    require(alpha.scalar_type() == basis.scalar_type(), "vertices: alpha and basis must have one dtype");
    B = alpha.size(0), K = basis.size(0), N = basis.size(1);
  }
};

struct VerticesMean {
  Tensor mean;

  VerticesMean(const VerticesInputs& in, const Tensor& mean_in) : mean(as_contiguous(mean_in)) {
    require_shape(mean, {in.N, 3}, "vertices: mean must be (N, 3)");
    require(mean.scalar_type() == in.alpha.scalar_type(), "vertices: mean and alpha must have one dtype");
  }
};

struct VerticesGradient {
  Tensor vertices;

  VerticesGradient(const VerticesInputs& in, const Tensor& vertices_in) : vertices(as_contiguous(vertices_in)) {
    require_shape(vertices, {in.B, in.N, 3}, "vertices_backward: grad_vertices must be (B, N, 3)");
    require(
        vertices.scalar_type() == in.alpha.scalar_type(),
        "vertices_backward: grad_vertices and alpha must have one dtype");
  }

  // (B, 3 N).
  Tensor flat() const {
    return torch::stable::view(vertices, {vertices.size(0), 3 * vertices.size(1)});
  }

  // The gradient to the basis (K, N, 3), a product of matrices that is left to the library.
  Tensor grad_basis(const VerticesInputs& in) const {
    const Tensor product = computed_by_pytorch(
        "vertices_backward", [&] { return torch::stable::matmul(torch::stable::transpose(in.alpha, 0, 1), flat()); });
    return torch::stable::view(product, {in.K, in.N, 3});
  }
};

}  // namespace stn
