// The arguments of visibility, contiguous and of matching sizes.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "common/tensor.h"
#include "visibility/visibility_math.h"

namespace stn {

struct VisibilityInputs {
  Tensor points;
  std::optional<Tensor> faces;  // none: the triangles of the P x Q grid
  int64_t B, N, P, Q, F = 0;
  bool wide = false, per_image = false;  // faces are int64, not int32; (B, F, 3), not (F, 3)

  VisibilityInputs(const Tensor& points_in, const std::optional<Tensor>& faces_in, int64_t P_in, int64_t Q_in)
      : points(as_contiguous(points_in)), P(P_in), Q(Q_in) {
    require(points.dim() == 3 && points.size(2) == 3, "visibility: points must be (B, N, 3)");
    B = points.size(0), N = points.size(1);
    require(N < std::numeric_limits<int32_t>::max(), "visibility: at most 2^31 - 2 vertices an image");
    if (faces_in.has_value()) {
      take_faces(as_contiguous(*faces_in));
    } else {
      require_grid(P, Q, N, "visibility: P Q must be N");
    }
  }

 private:
  void take_faces(const Tensor& listed) {
    const int64_t dims = listed.dim();
    require(
        (dims == 2 || (dims == 3 && listed.size(0) == B)) && listed.size(dims - 1) == 3,
        "visibility: faces must be (F, 3) or (B, F, 3)");
    wide = listed.scalar_type() == ScalarType::Long;
    require(wide || listed.scalar_type() == ScalarType::Int, "visibility: faces must be int32 or int64");
    per_image = dims == 3;
    F = listed.size(dims - 2);
    faces = listed;
  }
};

inline bool is_soft(const char* what, const std::string& mode) {
  STD_TORCH_CHECK(mode == "soft" || mode == "hard", what, ": the mode must be hard or soft");
  return mode == "soft";
}

// What T cannot say becomes the nearest number that it can.
template <class T>
SoftStep<T> soft_step(double tolerance, double temperature) {
  const double least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max();
  return {
      static_cast<T>(std::min(std::max(tolerance, -most), most)),
      static_cast<T>(std::min(std::max(temperature, least), most))};
}

// (B, N), or (0,) for hard visibility, which needs none.
inline Tensor uninitialised_winner(const VisibilityInputs& in, bool soft) {
  return soft ? uninitialised(in.points, {in.B, in.N}, ScalarType::Long)
              : uninitialised(in.points, {0}, ScalarType::Long);
}

// What the backward gets besides.
struct VisibilityGradients {
  Tensor visible, winner;

  VisibilityGradients(const VisibilityInputs& in, const Tensor& grad_visible, const Tensor& winner_in)
      : visible(as_contiguous(grad_visible)), winner(as_contiguous(winner_in)) {
    require_shape(visible, {in.B, in.N}, "visibility_backward: grad_visible must be (B, N)");
    require_dtype_of(in.points, {&visible}, "visibility_backward: grad_visible must have the points' dtype");
    require_shape(winner, {in.B, in.N}, "visibility_backward: winner must be (B, N), of soft visibility");
    require(winner.scalar_type() == ScalarType::Long, "visibility_backward: winner must be int64");
  }
};

}  // namespace stn
