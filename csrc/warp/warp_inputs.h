// The arguments of the fused chain and its tasks, for forward and backward.
#pragma once

#include <optional>
#include <vector>

#include "common/tensor.h"
#include "sample/sample_planes.h"
#include "warp/warp_landmarks.h"
#include "warp/warp_params.h"

namespace stn {

// The arguments that forward and backward share, contiguous and of matching sizes.
struct WarpInputs {
  Tensor image, theta, mean, basis;
  std::optional<Tensor> landmarks;
  int64_t B, C, H, W, N, K, L;

  WarpInputs(
      const Tensor& image_in, const Tensor& theta_in, const Tensor& mean_in, const Tensor& basis_in,
      const std::optional<Tensor>& landmarks_in)
      : image(as_contiguous(image_in)), theta(as_contiguous(theta_in)), mean(as_contiguous(mean_in)),
        basis(as_contiguous(basis_in)), landmarks(landmarks_in) {
    require(image.dim() == 4, "warp: image must be (B, C, H, W)");
    require(basis.dim() == 3, "warp: basis must be (K, N, 3)");
    B = image.size(0), C = image.size(1), H = image.size(2), W = image.size(3);
    K = basis.size(0), N = basis.size(1), L = 0;
    require_plane(H, W);
    require_shape(theta, {B, 6 + K}, "warp: theta must be (B, 6 + K)");
    require_shape(mean, {N, 3}, "warp: mean must be (N, 3)");
    require_shape(basis, {K, N, 3}, "warp: basis must be (K, N, 3)");
    require(
        mean.scalar_type() == theta.scalar_type() && basis.scalar_type() == theta.scalar_type(),
        "warp: theta, mean and basis must have one dtype");
    if (landmarks.has_value()) {
      landmarks = as_contiguous(*landmarks);
      require(landmarks->dim() == 1, "warp: landmarks must be (L,)");
      require(landmarks->scalar_type() == ScalarType::Long, "warp: landmarks must be int64");
      L = landmarks->size(0);
    }
  }

  template <class T>
  std::vector<RigidPose<T>> poses() const {
    std::vector<RigidPose<T>> all(static_cast<size_t>(B));
    for (int64_t b = 0; b < B; ++b) {
      all[static_cast<size_t>(b)] = sound_pose(pointer<T>(theta) + b * (6 + K), 6 + K);
    }
    return all;
  }

  template <class T, class I>
  WarpParams<T, I> params(const std::vector<RigidPose<T>>& poses) const {
    WarpParams<T, I> p = {};
    p.image = pointer<I>(image), p.theta = pointer<T>(theta), p.poses = poses.data();
    p.mean = pointer<T>(mean), p.basis = pointer<T>(basis);
    p.B = B, p.C = C, p.H = H, p.W = W, p.N = N, p.K = K;
    return p;
  }

  template <class T>
  LandmarkParams<T> landmark_params(const std::vector<RigidPose<T>>& poses) const {
    return {
        pointer<T>(theta),
        poses.data(),
        pointer<T>(mean),
        pointer<T>(basis),
        L > 0 ? pointer<int64_t>(*landmarks) : nullptr,
        B,
        N,
        K,
        L};
  }
};

// kernel(params, block, group) for every block of vertices and group of images.
template <class Params, class Kernel>
void for_each_task(const Params& params, Kernel* kernel) {
  const int64_t blocks = ceil_divide(params.N, kVertexBlock), groups = ceil_divide(params.B, kImageGroup);
  torch::stable::parallel_for(0, blocks * groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      kernel(params, task / groups, task % groups);
    }
  });
}

}  // namespace stn
