// The arguments of project and project_backward, contiguous and of matching sizes.
#pragma once

#include "common/tensor.h"

namespace stn {

struct ProjectInputs {
  Tensor vertices, rotation, scale;
  int64_t B, N;

  ProjectInputs(const Tensor& vertices_in, const Tensor& rotation_in, const Tensor& scale_in)
      : vertices(as_contiguous(vertices_in)), rotation(as_contiguous(rotation_in)), scale(as_contiguous(scale_in)) {
    require(vertices.dim() == 3 && vertices.size(2) == 3, "project: vertices must be (B, N, 3)");
    B = vertices.size(0), N = vertices.size(1);
    require_shape(rotation, {B, 3, 3}, "project: rotation must be (B, 3, 3)");
    require_shape(scale, {B}, "project: scale must be (B,)");
    require_dtype_of(vertices, {&rotation, &scale}, "project: all arguments must have one dtype");
  }
};

struct ProjectTranslation {
  Tensor translation;

  ProjectTranslation(const ProjectInputs& in, const Tensor& translation_in)
      : translation(as_contiguous(translation_in)) {
    require_shape(translation, {in.B, 2}, "project: translation must be (B, 2)");
    require_dtype_of(in.vertices, {&translation}, "project: all arguments must have one dtype");
  }
};

struct ProjectGradient {
  Tensor points;

  ProjectGradient(const ProjectInputs& in, const Tensor& points_in) : points(as_contiguous(points_in)) {
    require_shape(points, {in.B, in.N, 3}, "project_backward: grad_points must be (B, N, 3)");
    require_dtype_of(in.vertices, {&points}, "project_backward: all arguments must have one dtype");
  }
};

}  // namespace stn
