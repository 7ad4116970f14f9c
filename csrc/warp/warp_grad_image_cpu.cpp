// One task for each image, or for each plane where there are fewer images than threads. A task adds to its planes in
// vertex order: no two tasks share a plane, and the sums are repeatable.
#include "warp/warp_grad_image_cpu.h"

#include "common/tensor.h"
#include "sample/sample_planes.h"

#define STN_KERNELS "warp/warp_all_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {

template <class T, class I>
void grad_image_cpu(const WarpParams<T, I>& params, I* grad_image) {
  if (params.B * params.C == 0) {
    return;
  }
  const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, warp_grad_planes<T, I>);
  const bool by_image = params.B >= static_cast<int64_t>(torch::stable::get_num_threads());
  const int64_t planes = by_image ? params.C : 1, tasks = by_image ? params.B : params.B * params.C;
  for_each_plane_gradient<T>(grad_image, tasks, planes, params.H * params.W, [&](int64_t task, T* grad_planes) {
    const int64_t first = task * planes;
    kernel(params, first / params.C, first % params.C, planes, grad_planes);
  });
}

using torch::headeronly::BFloat16;
using torch::headeronly::Half;

template void grad_image_cpu(const WarpParams<float, float>&, float*);
template void grad_image_cpu(const WarpParams<double, double>&, double*);
template void grad_image_cpu(const WarpParams<float, Half>&, Half*);
template void grad_image_cpu(const WarpParams<float, BFloat16>&, BFloat16*);

}  // namespace stn
