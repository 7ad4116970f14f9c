// One pass over the points.
#include "grid/grid_inputs.h"
#include "grid/grid_math.h"

namespace stn {
namespace {

constexpr int64_t kGrain = 8192;  // points a task

Tensor grid_cpu(const Tensor& points_in, int64_t P, int64_t Q, int64_t H, int64_t W) {
  const GridInputs inputs(points_in, P, Q);
  const int64_t B = inputs.B, N = inputs.N, D = inputs.D;
  const Tensor grid = uninitialised(inputs.points, {B, P, Q, 2});
  dispatch_floating(inputs.points, "grid", [&](auto type) {
    using T = decltype(type);
    const T scale_x = grid_scale<T>(W), scale_y = grid_scale<T>(H);
    const T* in = pointer<T>(inputs.points);
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
  const GridGradient gradient(grad_grid_in, D);
  const int64_t B = gradient.B, N = gradient.N;
  const Tensor grad_points = uninitialised(gradient.grad_grid, {B, N, D});
  dispatch_floating(gradient.grad_grid, "grid_backward", [&](auto type) {
    using T = decltype(type);
    const T scale_x = grid_scale<T>(W), scale_y = grid_scale<T>(H);
    const T* in = pointer<T>(gradient.grad_grid);
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
