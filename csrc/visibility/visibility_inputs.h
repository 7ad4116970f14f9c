// The arguments of visibility, contiguous and of matching sizes.
#pragma once

#include <limits>
#include <optional>

#include "common/tensor.h"

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

}  // namespace stn
