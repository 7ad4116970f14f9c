// Hard visibility of one image's vertices, for the operators visibility and warp.
#pragma once

#include <cstdint>

namespace stn {

// A mesh is the P x Q grid (faces == nullptr) or F explicit faces of 32- or 64-bit indices.
struct Mesh {
  const void* faces;  // (F, 3) or nullptr
  bool wide;          // int64 indices
  int64_t F, P, Q;
};

// visible (N,): 1 where the vertex faces the viewer and no triangle hides it, else 0. Faces with an index outside
// 0..N-1 are left out. points are (N, 3).
template <class T>
void visible_vertices(const T* points, int64_t N, const Mesh& mesh, T tolerance, T* visible);

}  // namespace stn
