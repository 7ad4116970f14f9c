// The arguments of grid and grid_backward, contiguous and of matching sizes.
#pragma once

#include "common/tensor.h"

namespace stn {

struct GridInputs {
  Tensor points;
  int64_t B, N, D;

  GridInputs(const Tensor& points_in, int64_t P, int64_t Q) : points(as_contiguous(points_in)) {
    require(
        points.dim() == 3 && (points.size(2) == 2 || points.size(2) == 3),
        "grid: points must be (B, N, 2) or (B, N, 3)");
    B = points.size(0), N = points.size(1), D = points.size(2);
    require_grid(P, Q, N, "grid: P Q must be N");
  }
};

struct GridGradient {
  Tensor grad_grid;
  int64_t B, N;

  GridGradient(const Tensor& grad_grid_in, int64_t D) : grad_grid(as_contiguous(grad_grid_in)) {
    require(grad_grid.dim() == 4 && grad_grid.size(3) == 2, "grid_backward: grad_grid must be (B, P, Q, 2)");
    require(D == 2 || D == 3, "grid_backward: D must be 2 or 3");
    B = grad_grid.size(0), N = grad_grid.size(1) * grad_grid.size(2);
  }
};

}  // namespace stn
