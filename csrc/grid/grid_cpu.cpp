// One pass over the points.
#include "common/tensor.h"
#include "grid/grid_math.h"

namespace stn {
namespace {

constexpr int64_t kGrain = 8192;  // points a task

Tensor grid_cpu(const Tensor& points_in, int64_t P, int64_t Q, int64_t H, int64_t W) {
  require(
      points_in.dim() == 3 && (points_in.size(2) == 2 || points_in.size(2) == 3),
      "grid: points must be (B, N, 2) or (B, N, 3)");
  const Tensor points = as_contiguous(points_in);
  const int64_t B = points.size(0), N = points.size(1), D = points.size(2);
  require_grid(P, Q, N, "grid: P Q must be N");
  const Tensor grid = uninitialised(points, {B, P, Q, 2});
  dispatch_floating(points, "grid", [&](auto type) {
    using T = decltype(type);
    const T scale_x = grid_scale<T>(W), scale_y = grid_scale<T>(H);
    const T* in = pointer<T>(points);
    T* out = mutable_pointer<T>(grid);
    torch::stable::parallel_for(0, B * N, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        out[2 * i] = grid_coordinate(in[D * i], scale_x);
        out[2 * i + 1] = grid_coordinate(in[D * i + 1], scale_y);
      }
    });
  });
  return grid;
}

Tensor grid_backward_cpu(const Tensor& grad_grid_in, int64_t D, int64_t H, int64_t W) {
  require(grad_grid_in.dim() == 4 && grad_grid_in.size(3) == 2, "grid_backward: grad_grid must be (B, P, Q, 2)");
  require(D == 2 || D == 3, "grid_backward: D must be 2 or 3");
  const Tensor grad_grid = as_contiguous(grad_grid_in);
  const int64_t B = grad_grid.size(0), N = grad_grid.size(1) * grad_grid.size(2);
  const Tensor grad_points = uninitialised(grad_grid, {B, N, D});
  dispatch_floating(grad_grid, "grid_backward", [&](auto type) {
    using T = decltype(type);
    const T scale_x = grid_scale<T>(W), scale_y = grid_scale<T>(H);
    const T* in = pointer<T>(grad_grid);
    T* out = mutable_pointer<T>(grad_points);
    torch::stable::parallel_for(0, B * N, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        out[D * i] = scale_x * in[2 * i];
        out[D * i + 1] = scale_y * in[2 * i + 1];
        if (D == 3) {
          out[3 * i + 2] = T(0);
        }
      }
    });
  });
  return grad_points;
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("grid", TORCH_BOX(&stn::grid_cpu));
  library.impl("grid_backward", TORCH_BOX(&stn::grid_backward_cpu));
}
