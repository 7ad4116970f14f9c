// Forward: tasks are blocks of vertices x groups of images (warp_kernels.h); visibility, which needs all of a face,
// follows image by image.
#include "visibility/mesh_cpu.h"
#include "visibility/visibility_cpu.h"
#include "warp/warp_tasks.h"

#define STN_KERNELS "warp/warp_all_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {
namespace {

// mask *= visibility; winner (B, N) is nullptr for hard visibility, else -1 also where the mask is 0.
template <class T>
void hide_vertices(
    const T* points, int64_t B, int64_t N, const Mesh& mesh, SoftStep<T> step, T* mask, int64_t* winner) {
  for_each_image(B, N, [&](int64_t b, int64_t parts) {
    std::vector<T> visible(static_cast<size_t>(N));
    if (winner == nullptr) {
      visible_vertices(points + 3 * b * N, N, mesh, step.tolerance, parts, visible.data());
    } else {
      soft_visible_vertices(points + 3 * b * N, N, mesh, step, parts, visible.data(), winner + b * N);
    }
    for (int64_t n = 0; n < N; ++n) {
      if (winner != nullptr && mask[b * N + n] == T(0)) {
        winner[b * N + n] = -1;
      }
      mask[b * N + n] *= visible[static_cast<size_t>(n)];
    }
  });
}

std::tuple<Tensor, Tensor, Tensor, Tensor> warp_cpu(
    const Tensor& image, const Tensor& theta, const Tensor& mean, const Tensor& basis,
    const std::optional<Tensor>& landmarks, const std::optional<Tensor>& valid, int64_t P, int64_t Q,
    const std::string& visibility, double tolerance, double temperature) {
  const WarpInputs in(image, theta, mean, basis, landmarks);
  const WarpChoices choices(in, valid, P, Q, visibility);
  const WarpOutputs out(in, choices, P, Q);
  dispatch_image(in.image, in.theta, "warp", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    const auto poses = poses_of<T>(in);
    WarpParams<T, I> params = warp_params<T, I>(in, poses);
    params.valid = choices.valid.has_value() ? pointer<bool>(*choices.valid) : nullptr;
    params.texture = mutable_pointer<I>(out.texture);
    params.mask = mutable_pointer<T>(out.mask);
    params.points = choices.hidden ? mutable_pointer<T>(out.points) : nullptr;
    const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, warp_blocks<T, I>);
    for_all_tasks(params, kernel);
    if (choices.hidden) {
      hide_vertices(
          pointer<T>(out.points), in.B, in.N, grid_mesh(P, Q), soft_step<T>(tolerance, temperature),
          mutable_pointer<T>(out.mask), choices.soft ? mutable_pointer<int64_t>(out.winner) : nullptr);
    }
    project_landmarks(landmark_params(in, poses), mutable_pointer<T>(out.landmarks));
  });
  return out.all();
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("warp", TORCH_BOX(&stn::warp_cpu));
}
