// Every operator's schema, in the order of the data's way. Autograd and fake kernels are registered from Python
// (stn3dmm_cuda/<room>.py); CPU kernels in <room>/<room>_cpu.cpp.
#include "common/tensor.h"

STABLE_TORCH_LIBRARY(stn3dmm, library) {
  library.def("cpu_instruction_set() -> str");

  library.def("pose(Tensor theta) -> (Tensor rotation, Tensor translation, Tensor scale, Tensor alpha)");
  library.def(
      "pose_backward(Tensor theta, Tensor grad_rotation, Tensor grad_translation, Tensor grad_scale, "
      "Tensor grad_alpha) -> Tensor");
  library.def("axis_angle_to_matrix(Tensor r) -> Tensor");
  library.def("axis_angle_to_matrix_backward(Tensor grad_rotation, Tensor r) -> Tensor");

  library.def("vertices(Tensor alpha, Tensor mean, Tensor basis, bool deterministic) -> Tensor");
  library.def(
      "vertices_backward(Tensor grad_vertices, Tensor alpha, Tensor basis, bool alpha_needed, bool mean_needed, "
      "bool basis_needed) -> (Tensor grad_alpha, Tensor grad_mean, Tensor grad_basis)");

  library.def("project(Tensor vertices, Tensor rotation, Tensor translation, Tensor scale) -> Tensor");
  library.def(
      "project_backward(Tensor grad_points, Tensor vertices, Tensor rotation, Tensor scale) -> "
      "(Tensor grad_vertices, Tensor grad_rotation, Tensor grad_translation, Tensor grad_scale)");

  library.def("grid(Tensor points, SymInt P, SymInt Q, SymInt H, SymInt W) -> Tensor");
  library.def("grid_backward(Tensor grad_grid, SymInt D, SymInt H, SymInt W) -> Tensor");

  library.def("sample(Tensor image, Tensor points) -> Tensor");
  library.def(
      "sample_backward(Tensor grad_samples, Tensor image, Tensor points, bool image_needed, bool points_needed, "
      "bool deterministic) -> (Tensor grad_image, Tensor grad_points)");

  library.def(
      "visibility(Tensor points, Tensor? faces, SymInt P, SymInt Q, str mode, float tolerance, float temperature) -> "
      "(Tensor visible, Tensor winner)");
  library.def(
      "visibility_backward(Tensor grad_visible, Tensor points, Tensor? faces, Tensor winner, SymInt P, SymInt Q, "
      "float tolerance, float temperature) -> Tensor");

  library.def(
      "rasterize(Tensor points, Tensor faces, SymInt H, SymInt W) -> (Tensor barycentric, Tensor depth, Tensor face)");
  library.def(
      "rasterize_backward(Tensor? grad_barycentric, Tensor? grad_depth, Tensor points, Tensor faces, Tensor face, "
      "Tensor barycentric, bool deterministic) -> Tensor");

  library.def(
      "warp(Tensor image, Tensor theta, Tensor mean, Tensor basis, Tensor? landmarks, Tensor? valid, SymInt P, "
      "SymInt Q, str visibility, float tolerance, float temperature) -> (Tensor texture, Tensor mask, "
      "Tensor landmarks, Tensor winner)");
  library.def(
      "warp_backward(Tensor? grad_texture, Tensor? grad_mask, Tensor? grad_landmarks, Tensor image, Tensor theta, "
      "Tensor mean, Tensor basis, Tensor? landmarks, Tensor winner, SymInt P, SymInt Q, float tolerance, "
      "float temperature, bool image_needed, bool theta_needed, bool deterministic) -> "
      "(Tensor grad_image, Tensor grad_theta)");

  library.def(
      "texture_difference(Tensor texture_a, Tensor mask_a, Tensor texture_b, Tensor mask_b, bool mirror) -> "
      "(Tensor difference, Tensor weight)");
  library.def(
      "texture_difference_backward(Tensor grad_difference, Tensor grad_weight, Tensor texture_a, Tensor mask_a, "
      "Tensor texture_b, Tensor mask_b, bool mirror, bool texture_a_needed, bool mask_a_needed, "
      "bool texture_b_needed, bool mask_b_needed) -> "
      "(Tensor grad_texture_a, Tensor grad_mask_a, Tensor grad_texture_b, Tensor grad_mask_b)");
  library.def("texture_asymmetry(Tensor texture, Tensor mask) -> (Tensor difference, Tensor weight)");
  library.def(
      "texture_asymmetry_backward(Tensor grad_difference, Tensor grad_weight, Tensor texture, Tensor mask, "
      "bool texture_needed, bool mask_needed) -> (Tensor grad_texture, Tensor grad_mask)");
}
