// Backward: recomputes the points instead of keeping them. The gradient to theta is summed from the blocks' parts in
// block order, whatever the number of threads; the gradient to the image has one task for each image, or for each plane
// where there are fewer images than threads, and is repeatable too, so `deterministic` changes nothing here.
#include "common/tensor.h"
#include "warp/warp_inputs.h"

#define STN_KERNELS "warp/warp_all_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {
namespace {

// One image's sums -> its row of grad_theta; 0 for an unsound pose, which no gradient can mend.
template <class T>
void store_grad_theta(const T* theta, const RigidPose<T>& pose, const double* sums, int64_t K, T* out) {
  if (!is_finite(pose.scale)) {
    std::fill(out, out + 6 + K, T(0));
    return;
  }
  const double s = static_cast<double>(pose.scale);
  const Vec3<double> torque = {s * sums[0], s * sums[1], s * sums[2]};
  const Vec3<double> r = {static_cast<double>(theta[0]), static_cast<double>(theta[1]), static_cast<double>(theta[2])};
  const Vec3<double> grad_r = left_jacobian_transposed(r, torque);
  const double head[6] = {grad_r.x, grad_r.y, grad_r.z, sums[3], sums[4], s * sums[5]};
  for (int64_t i = 0; i < 6 + K; ++i) {
    out[i] = static_cast<T>(i < 6 ? head[i] : s * sums[i]);
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
      add_landmark_sums(in.landmark_params(poses), grad_landmarks, b, sums.data());
    }
    store_grad_theta(
        pointer<T>(in.theta) + b * D, poses[static_cast<size_t>(b)], sums.data(), in.K, grad_theta + b * D);
  }
}

template <class T, class I>
void grad_image_cpu(const WarpParams<T, I>& params, I* grad_image) {
  if (params.B * params.C == 0) {
    return;
  }
  const auto kernel = STN_CHOOSE_KERNEL(warp_grad_planes<T, I>);
  const bool by_image = params.B >= static_cast<int64_t>(torch::stable::get_num_threads());
  const int64_t planes = by_image ? params.C : 1, tasks = by_image ? params.B : params.B * params.C;
  for_each_plane_gradient<T>(grad_image, tasks, planes, params.H * params.W, [&](int64_t task, T* grad_planes) {
    const int64_t first = task * planes;
    kernel(params, first / params.C, first % params.C, planes, grad_planes);
  });
}

std::tuple<Tensor, Tensor> warp_backward_cpu(
    const std::optional<Tensor>& grad_texture_in, const std::optional<Tensor>& grad_landmarks_in, const Tensor& image,
    const Tensor& theta, const Tensor& mean, const Tensor& basis, const std::optional<Tensor>& landmarks,
    bool image_needed, bool theta_needed, bool /*deterministic*/) {
  const WarpInputs in(image, theta, mean, basis, landmarks);
  std::optional<Tensor> grad_texture, grad_landmarks;
  if (grad_texture_in.has_value()) {
    grad_texture = as_contiguous(*grad_texture_in);
    require(grad_texture->numel() == in.B * in.C * in.N, "warp_backward: grad_texture must be (B, C, P, Q)");
    require(
        grad_texture->scalar_type() == in.image.scalar_type(),
        "warp_backward: grad_texture must have the image's dtype");
  }
  if (grad_landmarks_in.has_value() && in.L > 0) {
    grad_landmarks = as_contiguous(*grad_landmarks_in);
    require_shape(*grad_landmarks, {in.B, in.L, 2}, "warp_backward: grad_landmarks must be (B, L, 2)");
    require(
        grad_landmarks->scalar_type() == in.theta.scalar_type(),
        "warp_backward: grad_landmarks must have theta's dtype");
  }
  const int64_t D = 6 + in.K, blocks = ceil_divide(in.N, kVertexBlock);
  const bool by_texture = theta_needed && grad_texture.has_value();
  const Tensor grad_image =
      image_needed ? uninitialised(in.image, {in.B, in.C, in.H, in.W}) : uninitialised(in.image, {0});
  const Tensor grad_theta = theta_needed ? uninitialised(in.theta, {in.B, D}) : uninitialised(in.theta, {0});
  const Tensor parts = by_texture ? uninitialised(in.theta, {blocks, in.B, D}) : uninitialised(in.theta, {0});
  dispatch_image(in.image, in.theta, "warp_backward", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    const auto poses = in.poses<T>();
    WarpParams<T, I> params = in.params<T, I>(poses);
    params.grad_texture = grad_texture.has_value() ? pointer<I>(*grad_texture) : nullptr;
    if (by_texture) {
      params.grad_parts = mutable_pointer<T>(parts);
      const auto kernel = STN_CHOOSE_KERNEL(warp_grad_theta_block<T, I>);
      for_each_task(params, kernel);
    }
    if (theta_needed) {
      grad_theta_cpu<T>(
          in, poses, params.grad_parts, grad_landmarks.has_value() ? pointer<T>(*grad_landmarks) : nullptr,
          mutable_pointer<T>(grad_theta));
    }
    if (image_needed && grad_texture.has_value()) {
      grad_image_cpu(params, mutable_pointer<I>(grad_image));
    } else if (image_needed) {
      std::fill_n(mutable_pointer<I>(grad_image), grad_image.numel(), static_cast<I>(0.0f));
    }
  });
  return {grad_image, grad_theta};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("warp_backward", TORCH_BOX(&stn::warp_backward_cpu));
}
