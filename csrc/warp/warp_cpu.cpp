// Forward: tasks are blocks of vertices x groups of images (warp_kernels.h); visibility, which needs all of a face,
// follows with one task an image.
#include "visibility/visibility_cpu.h"
#include "warp/warp_tasks.h"

#define STN_KERNELS "warp/warp_all_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {
namespace {

// mask *= visibility.
template <class T>
void hide_vertices(const T* points, int64_t B, int64_t N, const Mesh& mesh, T tolerance, T* mask) {
  torch::stable::parallel_for(0, B, 1, [&](int64_t begin, int64_t end) {
    std::vector<T> visible(static_cast<size_t>(N));
    for (int64_t b = begin; b < end; ++b) {
      visible_vertices(points + 3 * b * N, N, mesh, tolerance, visible.data());
      for (int64_t n = 0; n < N; ++n) {
        mask[b * N + n] *= visible[static_cast<size_t>(n)];
      }
    }
  });
}

std::tuple<Tensor, Tensor, Tensor> warp_cpu(
    const Tensor& image, const Tensor& theta, const Tensor& mean, const Tensor& basis,
    const std::optional<Tensor>& landmarks, const std::optional<Tensor>& valid, int64_t P, int64_t Q,
    const std::string& visibility, double tolerance) {
  const WarpInputs in(image, theta, mean, basis, landmarks);
  const WarpChoices choices(in, valid, P, Q, visibility);
  const Tensor texture = uninitialised(in.image, {in.B, in.C, P, Q});
  const Tensor mask = uninitialised(in.theta, {in.B, 1, P, Q});
  const Tensor projected = uninitialised(in.theta, {in.B, in.L, 2});
  const Tensor points = choices.hidden ? uninitialised(in.theta, {in.B, in.N, 3}) : uninitialised(in.theta, {0});
  dispatch_image(in.image, in.theta, "warp", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    const auto poses = poses_of<T>(in);
    WarpParams<T, I> params = warp_params<T, I>(in, poses);
    params.valid = choices.valid.has_value() ? pointer<bool>(*choices.valid) : nullptr;
    params.texture = mutable_pointer<I>(texture);
    params.mask = mutable_pointer<T>(mask);
    params.points = choices.hidden ? mutable_pointer<T>(points) : nullptr;
    const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, warp_block<T, I>);
    for_each_task(params, kernel);
    if (choices.hidden) {
      hide_vertices(
          pointer<T>(points), in.B, in.N, grid_mesh(P, Q), static_cast<T>(tolerance), mutable_pointer<T>(mask));
    }
    project_landmarks(landmark_params(in, poses), mutable_pointer<T>(projected));
  });
  return {texture, mask, projected};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("warp", TORCH_BOX(&stn::warp_cpu));
}
