// The operator grid on CUDA tensors; its kernels are in grid_cuda.cu.
#include "grid/grid_cuda.h"

#include "common/cuda_device.h"
#include "grid/grid_inputs.h"
#include "grid/grid_math.h"

namespace stn {
namespace {

Tensor grid_cuda(const Tensor& points, int64_t P, int64_t Q, int64_t H, int64_t W) {
  const OnDevice device("grid", {&points});
  const GridInputs in(points, P, Q);
  const Tensor grid = uninitialised(in.points, {in.B, P, Q, 2});
  dispatch_floating(in.points, "grid", [&](auto type) {
    using T = decltype(type);
    const GridParams<T> params = {pointer<T>(in.points), mutable_pointer<T>(grid), in.B * in.N, in.D,
                                  grid_scale<T>(W),      grid_scale<T>(H)};
    launch_grid(params, device.stream());
  });
  return grid;
}

Tensor grid_backward_cuda(const Tensor& grad_grid, int64_t D, int64_t H, int64_t W) {
  const OnDevice device("grid_backward", {&grad_grid});
  const GridGradient in(grad_grid, D);
  const Tensor grad_points = uninitialised(in.grad_grid, {in.B, in.N, D});
  dispatch_floating(in.grad_grid, "grid_backward", [&](auto type) {
    using T = decltype(type);
    const GridParams<T> params = {
        pointer<T>(in.grad_grid), mutable_pointer<T>(grad_points), in.B * in.N, D, grid_scale<T>(W), grid_scale<T>(H)};
    launch_grid_backward(params, device.stream());
  });
  return grad_points;
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("grid", TORCH_BOX(&stn::grid_cuda));
  library.impl("grid_backward", TORCH_BOX(&stn::grid_backward_cuda));
}
