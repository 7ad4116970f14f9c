// The arguments of the fused chain, contiguous and of matching sizes, and its results.
#pragma once

#include <optional>
#include <string>
#include <tuple>

#include "common/tensor.h"
#include "sample/sample_inputs.h"

namespace stn {

// What forward and backward share.
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
};

// What only the forward takes.
struct WarpChoices {
  std::optional<Tensor> valid;
  bool hidden, soft;  // visibility "hard" or "soft"; "soft"

  WarpChoices(
      const WarpInputs& in, const std::optional<Tensor>& valid_in, int64_t P, int64_t Q, const std::string& visibility)
      : valid(valid_in), hidden(visibility != "none"), soft(visibility == "soft") {
    require_grid(P, Q, in.N, "warp: P Q must be N");
    require(!hidden || soft || visibility == "hard", "warp: visibility must be hard, soft or none");
    if (valid.has_value()) {
      require_shape(*valid, {in.N}, "warp: valid must be (N,)");
      require(valid->scalar_type() == ScalarType::Bool, "warp: valid must be bool");
      valid = as_contiguous(*valid);
    }
  }
};

// What warp returns, yet to be written, and the points between.
struct WarpOutputs {
  Tensor texture, mask, landmarks;
  Tensor winner;  // (B, N), or (0,) where no soft visibility wants it
  Tensor points;  // (B, N, 3), or (0,) without visibility

  WarpOutputs(const WarpInputs& in, const WarpChoices& choices, int64_t P, int64_t Q)
      : texture(uninitialised(in.image, {in.B, in.C, P, Q})), mask(uninitialised(in.theta, {in.B, 1, P, Q})),
        landmarks(uninitialised(in.theta, {in.B, in.L, 2})),
        winner(
            choices.soft ? uninitialised(in.theta, {in.B, in.N}, ScalarType::Long)
                         : uninitialised(in.theta, {0}, ScalarType::Long)),
        points(choices.hidden ? uninitialised(in.theta, {in.B, in.N, 3}) : uninitialised(in.theta, {0})) {
  }

  std::tuple<Tensor, Tensor, Tensor, Tensor> all() const {
    return {texture, mask, landmarks, winner};
  }
};

// The gradients that arrived; that to the mask, of soft visibility only, with what the forward found.
struct WarpGradients {
  std::optional<Tensor> texture, mask, landmarks;
  Tensor winner;

  WarpGradients(
      const WarpInputs& in, const std::optional<Tensor>& texture_in, const std::optional<Tensor>& mask_in,
      const std::optional<Tensor>& landmarks_in, const Tensor& winner_in, int64_t P, int64_t Q)
      : winner(as_contiguous(winner_in)) {
    require_grid(P, Q, in.N, "warp_backward: P Q must be N");
    if (mask_in.has_value()) {
      require_shape(*mask_in, {in.B, 1, P, Q}, "warp_backward: grad_mask must be (B, 1, P, Q)");
      require(mask_in->scalar_type() == in.theta.scalar_type(), "warp_backward: grad_mask must have theta's dtype");
      require_shape(winner, {in.B, in.N}, "warp_backward: winner must be (B, N), of soft visibility");
      require(winner.scalar_type() == ScalarType::Long, "warp_backward: winner must be int64");
      mask = torch::stable::view(as_contiguous(*mask_in), {in.B, in.N});
    }
    if (texture_in.has_value()) {
      texture = as_contiguous(*texture_in);
      require_shape(*texture, {in.B, in.C, P, Q}, "warp_backward: grad_texture must be (B, C, P, Q)");
      require(
          texture->scalar_type() == in.image.scalar_type(), "warp_backward: grad_texture must have the image's dtype");
    }
    if (landmarks_in.has_value() && in.L > 0) {
      landmarks = as_contiguous(*landmarks_in);
      require_shape(*landmarks, {in.B, in.L, 2}, "warp_backward: grad_landmarks must be (B, L, 2)");
      require(
          landmarks->scalar_type() == in.theta.scalar_type(), "warp_backward: grad_landmarks must have theta's dtype");
    }
  }
};

}  // namespace stn
