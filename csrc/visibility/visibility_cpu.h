// Visibility of one image's vertices on the CPU, for the operators visibility and warp.
#pragma once

#include <cstdint>

#include "visibility/visibility_math.h"

namespace stn {

// The P x Q texture grid, or F listed faces of 32- or 64-bit indices. Faces with an index outside 0..N-1 are left out.
struct Mesh {
  bool grid;
  int64_t P, Q;
  const void* faces;  // (F, 3), not for a grid
  bool wide;          // int64 indices
  int64_t F;          // of a grid, too
};

inline Mesh grid_mesh(int64_t P, int64_t Q) {
  return {true, P, Q, nullptr, false, P > 1 && Q > 1 ? 2 * (P - 1) * (Q - 1) : 0};
}

// visible (N,): 1 where the vertex faces the viewer and no triangle hides it, else 0. points are (N, 3). Several
// `parts` work at the same time; the result does not depend on their number.
template <class T>
void visible_vertices(const T* points, int64_t N, const Mesh& mesh, T tolerance, int64_t parts, T* visible);

// visible (N,) by a soft step, and winner (N,): the face of the occluder depth, -1 where there is none or the vertex
// does not face the viewer.
template <class T>
void soft_visible_vertices(
    const T* points, int64_t N, const Mesh& mesh, SoftStep<T> step, int64_t parts, T* visible, int64_t* winner);

// grad_points (N, 3), from the gradient to soft visibility.
template <class T>
void soft_visibility_backward(
    const T* grad_visible, const T* points, int64_t N, const Mesh& mesh, const int64_t* winner, SoftStep<T> step,
    T* grad_points);

}  // namespace stn
