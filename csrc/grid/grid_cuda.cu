// u = scale x - 1 and its derivative: one thread a point. Moves (D + 2) values a point either way; deterministic.
#include "common/launch.h"
#include "grid/grid_cuda.h"
#include "grid/grid_math.h"

namespace stn {
namespace {

template <class T>
__global__ void grid_kernel(GridParams<T> p) {
  const int64_t i = thread_index();
  if (i < p.count) {
    p.out[2 * i] = grid_coordinate(p.in[p.D * i], p.scale_x);
    p.out[2 * i + 1] = grid_coordinate(p.in[p.D * i + 1], p.scale_y);
  }
}

template <class T>
__global__ void grid_backward_kernel(GridParams<T> p) {
  const int64_t i = thread_index();
  if (i < p.count) {
    p.out[p.D * i] = p.scale_x * p.in[2 * i];
    p.out[p.D * i + 1] = p.scale_y * p.in[2 * i + 1];
    if (p.D == 3) {
      p.out[3 * i + 2] = T(0);
    }
  }
}

}  // namespace

template <class T>
void launch_grid(const GridParams<T>& params, CudaStream stream) {
  launch_each("grid", stream, params.count, grid_kernel<T>, params);
}

template <class T>
void launch_grid_backward(const GridParams<T>& params, CudaStream stream) {
  launch_each("grid_backward", stream, params.count, grid_backward_kernel<T>, params);
}

template void launch_grid(const GridParams<float>&, CudaStream);
template void launch_grid(const GridParams<double>&, CudaStream);
template void launch_grid_backward(const GridParams<float>&, CudaStream);
template void launch_grid_backward(const GridParams<double>&, CudaStream);

}  // namespace stn
