// The signed areas of all faces, and the vertices that face the viewer. Whoever sums the areas around a vertex does so
// in ascending face order, for CPU and CUDA must agree to the last bit (for files that are compiled without
// contraction: visibility_math.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "visibility/candidates.h"
#include "visibility/mesh_cpu.h"

namespace stn {

// areas (cells, 2) of a row of the grid's cells, from the two rows of vertices that bound it.
template <class T>
void areas_of_row(const T* __restrict__ upper, const T* __restrict__ lower, int64_t cells, T* __restrict__ areas) {
  for (int64_t c = 0; c < cells; ++c) {
    const Vec3<T> near = load3(upper + 3 * c), right = load3(upper + 3 * c + 3);
    const Vec3<T> below = load3(lower + 3 * c), far = load3(lower + 3 * c + 3);
    areas[2 * c] = occluder_area(near, below, right);  // grid_face
    areas[2 * c + 1] = occluder_area(far, right, below);
  }
}

// The two rows of cells that meet at a row of vertices, with a cell of no area at either end.
template <class T>
class CellRows {
 public:
  CellRows(const T* areas, int64_t rows, int64_t cells)
      : areas_(areas), rows_(rows), cells_(cells), above_(static_cast<size_t>(2 * cells + 4)), below_(above_) {
  }

  // Of vertex row r.
  void load(int64_t r) {
    load_row(r - 1, above_);
    load_row(r, below_);
  }

  // sums (cells + 1,) around the vertices, in ascending face order.
  void sum(T* __restrict__ sums) const {
    const T* __restrict__ above = above_.data();
    const T* __restrict__ below = below_.data();
    for (int64_t c = 0; c <= cells_; ++c) {
      const int64_t left = 2 * c, right = 2 * c + 2;  // the cells on either side
      sums[c] = above[left + 1] + above[right] + above[right + 1] + below[left] + below[left + 1] + below[right];
    }
  }

 private:
  void load_row(int64_t r, std::vector<T>& row) {
    if (r < 0 || r >= rows_) {
      std::fill(row.begin(), row.end(), T(0));
    } else {
      std::copy_n(areas_ + 2 * r * cells_, 2 * cells_, row.begin() + 2);
    }
  }

  const T* areas_;  // (rows, cells, 2)
  int64_t rows_, cells_;
  std::vector<T> above_, below_;
};

template <class T>
void sum_grid_areas(const T* points, int64_t P, int64_t Q, int64_t parts, T* areas, T* sums) {
  const int64_t rows = P - 1, cells = Q - 1;
  for_each_part(rows, parts, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      areas_of_row(points + 3 * r * Q, points + 3 * (r + 1) * Q, cells, areas + 2 * r * cells);
    }
  });
  for_each_part(P, parts, [&](int64_t, int64_t first, int64_t last) {
    CellRows<T> around(areas, rows, cells);
    for (int64_t r = first; r < last; ++r) {
      around.load(r);
      around.sum(sums + r * Q);
    }
  });
}

// The lowest and the highest vertex of faces.
struct VertexSpan {
  int32_t first, last;
};

// An index that names no vertex may pass for another: its face counts nowhere.
template <class Index>
VertexSpan span_of(const Index* indices, int64_t count) {
  auto first = static_cast<int32_t>(indices[0]), last = first;
#pragma omp simd reduction(min : first) reduction(max : last)
  for (int64_t i = 1; i < count; ++i) {
    const auto vertex = static_cast<int32_t>(indices[i]);
    first = vertex < first ? vertex : first;
    last = vertex > last ? vertex : last;
  }
  return {first, last};
}

// Of each stretch of the faces.
inline std::vector<VertexSpan> spans_of(const Mesh& mesh, int64_t parts) {
  std::vector<VertexSpan> spans(static_cast<size_t>(stretches_of(mesh)));
  for_each_part(stretches_of(mesh), parts, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = 3 * i * kStretch, count = std::min(3 * kStretch, 3 * mesh.F - begin);
      spans[static_cast<size_t>(i)] = mesh.wide ? span_of(static_cast<const int64_t*>(mesh.faces) + begin, count)
                                                : span_of(static_cast<const int32_t*>(mesh.faces) + begin, count);
    }
  });
  return spans;
}

// For the faces first <= index < last: adds to the sums of those vertices alone that owns(vertex), and sets the areas
// of those faces whose first corner is one.
template <class T, class Owns>
void sum_areas_around(
    const T* points, int64_t N, const Mesh& mesh, int64_t first, int64_t last, const Owns& owns, T* areas, T* sums) {
  for_each_face(points, N, mesh, first, last, [=](Face face, int64_t index) __attribute__((always_inline)) {
    const bool i = owns(face.i), j = owns(face.j), k = owns(face.k);
    if (!(i || j || k)) {
      return;
    }
    const Triangle<T> t(points, face);
    const T area = occluder_area(t.a, t.b, t.c);
    if (i) {
      areas[index] = area;
      sums[face.i] += area;
    }
    if (j) {
      sums[face.j] += area;
    }
    if (k) {
      sums[face.k] += area;
    }
  });
}

// In parts, the vertices are shared out, so that each has its sum from one hand, which passes by the stretches of faces
// that name none of its own.
template <class T>
void sum_listed_areas(const T* points, int64_t N, const Mesh& mesh, int64_t parts, T* areas, T* sums) {
  const auto all = [](int32_t) { return true; };
  if (parts == 1) {
    return sum_areas_around(points, N, mesh, 0, mesh.F, all, areas, sums);
  }
  const std::vector<VertexSpan> spans = spans_of(mesh, parts);
  for_each_part(N, parts, [&](int64_t, int64_t first, int64_t last) {
    const auto own = [=](int32_t vertex) { return vertex >= first && vertex < last; };
    for (size_t i = 0; i < spans.size(); ++i) {
      const int64_t begin = static_cast<int64_t>(i) * kStretch, end = std::min(begin + kStretch, mesh.F);
      if (spans[i].first >= first && spans[i].last < last) {
        sum_areas_around(points, N, mesh, begin, end, all, areas, sums);
      } else if (spans[i].first < last && spans[i].last >= first) {
        sum_areas_around(points, N, mesh, begin, end, own, areas, sums);
      }
    }
  });
}

// Returns the area of each face, 0 for one that occludes nothing; sums (N,) are over the faces around each vertex.
template <class T>
Buffer<T> sum_areas(const T* points, int64_t N, const Mesh& mesh, int64_t parts, T* sums) {
  Buffer<T> areas(static_cast<size_t>(mesh.F));
  if (mesh.grid && mesh.F > 0) {
    sum_grid_areas(points, mesh.P, mesh.Q, parts, areas.data(), sums);
    return areas;
  }
  std::fill(sums, sums + N, T(0));
  sum_listed_areas(points, N, mesh, parts, areas.data(), sums);
  return areas;
}

// The finite vertices whose areas' sum faces the viewer. facing (N,), at first the sums, becomes 1 for them, else 0.
template <class T>
Candidates<T> facing_vertices(const T* points, int64_t N, T* facing) {
  Candidates<T> candidates(N);
  size_t count = 0;
  for (int64_t n = 0; n < N; ++n) {
    const Vec3<T> p = load3(points + 3 * n);
    const bool faces = (facing[n] < T(0)) & is_finite(p);
    candidates.set(count, {p.x, p.y, p.z, static_cast<int32_t>(n)});  // no branch; the next one's place if it is none
    count += faces;
    facing[n] = faces ? T(1) : T(0);
  }
  candidates.count = count;
  return candidates;
}

}  // namespace stn
