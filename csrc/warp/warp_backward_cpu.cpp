// Backward: makes the points once more instead of keeping them from the forward; the pass to the image
// (warp_grad_image_cpu.cpp) reads them. The gradient to theta is summed from the blocks' parts in block order, whatever
// the number of threads; that to the image is repeatable too, so `deterministic` changes nothing here.
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

// What is to be computed, from the gradients that came.
struct Needed {
  bool theta, image;  // the results
  bool soft;          // the gradient that a soft mask passes to the points
  bool sums;          // over the vertices, for theta
  bool samples;       // the gradient that the texture passes to the image

  Needed(const WarpGradients& grads, bool image_needed, bool theta_needed)
      : theta(theta_needed), image(image_needed), soft(theta && grads.mask.has_value()),
        sums(theta && (grads.texture.has_value() || grads.mask.has_value())),
        samples(image && grads.texture.has_value()) {
  }
};

// What lies between the steps: the points and the gradient to them, (B, N, 3) each, and the blocks' sums.
struct Workspace {
  Tensor points, grad_points, parts;

  Workspace(const WarpInputs& in, const Needed& needed)
      : points(uninitialised(in.theta, {needed.soft || needed.samples ? in.B : 0, in.N, 3})),
        grad_points(uninitialised(in.theta, {needed.soft ? in.B : 0, in.N, 3})),
        parts(uninitialised(in.theta, {needed.sums ? ceil_divide(in.N, kVertexBlock) : 0, in.B, 6 + in.K})) {
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

// From the gradient to a soft mask to that of the points.
template <class T>
void grad_points_cpu(
    const WarpInputs& in, const WarpGradients& grads, const MaskChoices& soft, const T* points, T* grad_points) {
  const Mesh mesh = grid_mesh(soft.P, soft.Q);
  const SoftStep<T> step = soft_step<T>(soft.tolerance, soft.temperature);
  torch::stable::parallel_for(0, in.B, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      soft_visibility_backward(
          pointer<T>(*grads.mask) + b * in.N, points + 3 * b * in.N, in.N, mesh,
          pointer<int64_t>(grads.winner) + b * in.N, step, grad_points + 3 * b * in.N);
    }
  });
}

// The points are made by the pass over the vertices if nobody needs them before it.
template <class T, class I>
void warp_backward_typed(
    const WarpInputs& in, const WarpGradients& grads, const MaskChoices& soft, const Needed& needed,
    const Workspace& between, I* grad_image, T* grad_theta) {
  const auto poses = poses_of<T>(in);
  WarpParams<T, I> params = warp_params<T, I>(in, poses);
  params.grad_texture = grads.texture.has_value() ? pointer<I>(*grads.texture) : nullptr;
  T* points = mutable_pointer<T>(between.points);
  params.points = needed.soft || needed.samples ? points : nullptr;
  if (needed.soft || (needed.samples && !needed.sums)) {
    const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, warp_points_blocks<T, I>);
    for_all_tasks(params, kernel);
  }
  if (needed.soft) {
    grad_points_cpu(in, grads, soft, points, mutable_pointer<T>(between.grad_points));
    params.grad_points = pointer<T>(between.grad_points);
    params.points = nullptr;  // made
  }
  if (needed.sums) {
    params.grad_parts = mutable_pointer<T>(between.parts);
    const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, warp_grad_theta_blocks<T, I>);
    for_all_tasks(params, kernel);
  }
  if (needed.theta) {
    const T* grad_landmarks = grads.landmarks.has_value() ? pointer<T>(*grads.landmarks) : nullptr;
    grad_theta_cpu<T>(in, poses, params.grad_parts, grad_landmarks, grad_theta);
  }
  if (needed.samples) {
    params.points = points;
    grad_image_cpu(params, grad_image);
  } else if (needed.image) {
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
  const Needed needed(grads, image_needed, theta_needed);
  const Workspace between(in, needed);
  const Tensor grad_image =
      image_needed ? uninitialised(in.image, {in.B, in.C, in.H, in.W}) : uninitialised(in.image, {0});
  const Tensor grad_theta = theta_needed ? uninitialised(in.theta, {in.B, 6 + in.K}) : uninitialised(in.theta, {0});
  dispatch_image(in.image, in.theta, "warp_backward", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    warp_backward_typed<T, I>(
        in, grads, {P, Q, tolerance, temperature}, needed, between, mutable_pointer<I>(grad_image),
        mutable_pointer<T>(grad_theta));
  });
  return {grad_image, grad_theta};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("warp_backward", TORCH_BOX(&stn::warp_backward_cpu));
}
