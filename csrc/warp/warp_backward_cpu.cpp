// Backward: recomputes the points instead of keeping them. The gradient to theta is summed from the blocks' parts in
// block order, whatever the number of threads; the gradient to the image (warp_grad_image_cpu.cpp) is repeatable too,
// so `deterministic` changes nothing here.
#include "visibility/mesh_cpu.h"
#include "visibility/visibility_cpu.h"
#include "warp/warp_grad_image_cpu.h"
#include "warp/warp_tasks.h"

#define STN_KERNELS "warp/warp_all_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {
namespace {

// What the soft mask was made with.
struct MaskChoices {
  int64_t P, Q;
  double tolerance, temperature;
};

// The points made once more and the gradient to them, (B, N, 3) each, or nothing.
struct SoftPoints {
  Tensor made, grad;

  SoftPoints(const WarpInputs& in, bool needed)
      : made(uninitialised(in.theta, {needed ? in.B : 0, in.N, 3})),
        grad(uninitialised(in.theta, {needed ? in.B : 0, in.N, 3})) {
  }
};

// One image's sums -> its row of grad_theta.
template <class T>
void store_grad_theta(const T* theta, const RigidPose<T>& pose, const double* sums, int64_t K, T* out) {
  if (!is_finite(pose.scale)) {
    std::fill(out, out + 6 + K, T(0));
    return;
  }
  store_rigid_gradient(theta, pose.scale, sums, out);
  for (int64_t i = 6; i < 6 + K; ++i) {
    out[i] = static_cast<T>(static_cast<double>(pose.scale) * sums[i]);
  }
}

template <class T>
void grad_theta_cpu(
    const WarpInputs& in, const std::vector<RigidPose<T>>& poses, const T* parts, const T* grad_landmarks,
    T* grad_theta) {
  const int64_t D = 6 + in.K, blocks = parts == nullptr ? 0 : ceil_divide(in.N, kVertexBlock);
  std::vector<double> sums(static_cast<size_t>(D));
  for (int64_t b = 0; b < in.B; ++b) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int64_t block = 0; block < blocks; ++block) {
      const T* part = parts + (block * in.B + b) * D;
      for (int64_t i = 0; i < D; ++i) {
        sums[static_cast<size_t>(i)] += static_cast<double>(part[i]);
      }
    }
    if (grad_landmarks != nullptr) {
      add_landmark_sums(landmark_params(in, poses), grad_landmarks, b, sums.data());
    }
    store_grad_theta(
        pointer<T>(in.theta) + b * D, poses[static_cast<size_t>(b)], sums.data(), in.K, grad_theta + b * D);
  }
}

// From the gradient to a soft mask to that of the points, which are made once more.
template <class T, class I>
void grad_points_cpu(
    WarpParams<T, I> params, const WarpGradients& grads, const MaskChoices& soft, T* points, T* grad_points) {
  params.points = points;
  const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, warp_points_blocks<T, I>);
  for_all_tasks(params, kernel);
  const Mesh mesh = grid_mesh(soft.P, soft.Q);
  const SoftStep<T> step = soft_step<T>(soft.tolerance, soft.temperature);
  torch::stable::parallel_for(0, params.B, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      soft_visibility_backward(
          pointer<T>(*grads.mask) + b * params.N, points + 3 * b * params.N, params.N, mesh,
          pointer<int64_t>(grads.winner) + b * params.N, step, grad_points + 3 * b * params.N);
    }
  });
}

template <class T, class I>
void warp_backward_typed(
    const WarpInputs& in, const WarpGradients& grads, const MaskChoices& soft, const SoftPoints& points,
    const Tensor& parts, I* grad_image, T* grad_theta) {
  const auto poses = poses_of<T>(in);
  WarpParams<T, I> params = warp_params<T, I>(in, poses);
  params.grad_texture = grads.texture.has_value() ? pointer<I>(*grads.texture) : nullptr;
  if (grad_theta != nullptr && grads.mask.has_value()) {
    grad_points_cpu(params, grads, soft, mutable_pointer<T>(points.made), mutable_pointer<T>(points.grad));
    params.grad_points = pointer<T>(points.grad);
  }
  if (grad_theta != nullptr && (grads.texture.has_value() || grads.mask.has_value())) {
    params.grad_parts = mutable_pointer<T>(parts);
    const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, warp_grad_theta_blocks<T, I>);
    for_all_tasks(params, kernel);
  }
  if (grad_theta != nullptr) {
    const T* grad_landmarks = grads.landmarks.has_value() ? pointer<T>(*grads.landmarks) : nullptr;
    grad_theta_cpu<T>(in, poses, params.grad_parts, grad_landmarks, grad_theta);
  }
  if (grad_image != nullptr && grads.texture.has_value()) {
    grad_image_cpu(params, grad_image);
  } else if (grad_image != nullptr) {
    std::fill_n(grad_image, in.image.numel(), static_cast<I>(0.0f));
  }
}

std::tuple<Tensor, Tensor> warp_backward_cpu(
    const std::optional<Tensor>& grad_texture, const std::optional<Tensor>& grad_mask,
    const std::optional<Tensor>& grad_landmarks, const Tensor& image, const Tensor& theta, const Tensor& mean,
    const Tensor& basis, const std::optional<Tensor>& landmarks, const Tensor& winner, int64_t P, int64_t Q,
    double tolerance, double temperature, bool image_needed, bool theta_needed, bool /*deterministic*/) {
  const WarpInputs in(image, theta, mean, basis, landmarks);
  const WarpGradients grads(in, grad_texture, grad_mask, grad_landmarks, winner, P, Q);
  const Tensor none_of_image = uninitialised(in.image, {0}), none_of_theta = uninitialised(in.theta, {0});
  const bool summed = theta_needed && (grads.texture.has_value() || grads.mask.has_value());
  const int64_t D = 6 + in.K, blocks = summed ? ceil_divide(in.N, kVertexBlock) : 0;
  const Tensor grad_image = image_needed ? uninitialised(in.image, {in.B, in.C, in.H, in.W}) : none_of_image;
  const Tensor grad_theta = theta_needed ? uninitialised(in.theta, {in.B, D}) : none_of_theta;
  const Tensor parts = uninitialised(in.theta, {blocks, in.B, D});
  const SoftPoints points(in, theta_needed && grads.mask.has_value());
  dispatch_image(in.image, in.theta, "warp_backward", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    warp_backward_typed<T, I>(
        in, grads, {P, Q, tolerance, temperature}, points, parts,
        image_needed ? mutable_pointer<I>(grad_image) : nullptr,
        theta_needed ? mutable_pointer<T>(grad_theta) : nullptr);
  });
  return {grad_image, grad_theta};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("warp_backward", TORCH_BOX(&stn::warp_backward_cpu));
}
