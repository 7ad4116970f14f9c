// Launchers of the project kernels.
#pragma once

#include "common/cuda_stream.h"
#include "project/project_math.h"

namespace stn {

// Vertices a block of the kernels: four a thread, so that the image's pose is read once for four of them.
constexpr int64_t kProjectChunk = 1024;

template <class T>
struct ProjectParams {
  const T* vertices;     // (B, N, 3) model units
  const T* rotation;     // (B, 3, 3)
  const T* translation;  // (B, 2) pixels
  const T* scale;        // (B,) pixels per model unit
  T* points;             // (B, N, 3) pixels
  int64_t B, N, chunks;  // chunks of kProjectChunk vertices
};

template <class T>
struct ProjectBackwardParams {
  const T* grad_points;  // (B, N, 3)
  const T* vertices;     // (B, N, 3) model units
  const T* rotation;     // (B, 3, 3)
  const T* scale;        // (B,) pixels per model unit
  T* grad_vertices;      // (B, N, 3)
  double* parts;         // (chunks, B, kPoseSums), workspace
  ProjectPoseGradients<T> grad_pose;
  int64_t B, N, chunks;  // chunks of kProjectChunk vertices
};

template <class T>
void launch_project(const ProjectParams<T>& params, CudaStream stream);
template <class T>
void launch_project_backward(const ProjectBackwardParams<T>& params, CudaStream stream);

}  // namespace stn
