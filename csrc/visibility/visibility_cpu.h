// Hard visibility of one image's vertices, for the operators visibility and warp.
#pragma once

#include <cstdint>

namespace stn {

// The P x Q texture grid, or F listed faces of 32- or 64-bit indices.
struct Mesh {
  bool grid;
  int64_t P, Q;
  const void* faces;  // (F, 3), not for a grid
  bool wide;          // int64 indices
  int64_t F;
};

inline Mesh grid_mesh(int64_t P, int64_t Q) {
  return {true, P, Q, nullptr, false, 0};
}

// visible (N,): 1 where the vertex faces the viewer and no triangle hides it, else 0. Faces with an index outside
// 0..N-1 are left out. points are (N, 3).
template <class T>
void visible_vertices(const T* points, int64_t N, const Mesh& mesh, T tolerance, T* visible);

}  // namespace stn
