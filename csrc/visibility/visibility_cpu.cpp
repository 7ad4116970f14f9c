// Three passes over one image: areas summed per vertex (facing), facing vertices sorted into screen cells, and one
// pass over the triangles, each looking at the vertices of the cells that its box touches. Linear in vertices,
// triangles and cells touched. One task an image.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")  // visibility_math.h
#endif

#include "visibility/visibility_cpu.h"

#include <limits>
#include <vector>

#include "visibility/vertex_bins.h"
#include "visibility/visibility_inputs.h"
#include "visibility/visibility_math.h"

namespace stn {
namespace {

// f(face) for every face, in ascending order.
template <class F>
void for_each_grid_face(int64_t P, int64_t Q, const F& f) {
  for (int64_t r = 0; r + 1 < P; ++r) {
    for (int64_t c = 0; c + 1 < Q; ++c) {
      const int32_t first = static_cast<int32_t>(r * Q + c);
      f(grid_face(first, static_cast<int32_t>(Q), 0));
      f(grid_face(first, static_cast<int32_t>(Q), 1));
    }
  }
}

template <class Index, class F>
void for_each_listed_face(const Index* faces, int64_t count, int64_t N, const F& f) {
  const auto exists = [N](Index index) { return index >= 0 && static_cast<int64_t>(index) < N; };
  for (const Index* face = faces; face != faces + 3 * count; face += 3) {
    if (exists(face[0]) && exists(face[1]) && exists(face[2])) {
      f(Face{static_cast<int32_t>(face[0]), static_cast<int32_t>(face[1]), static_cast<int32_t>(face[2])});
    }
  }
}

template <class F>
void for_each_face(const Mesh& mesh, int64_t N, const F& f) {
  if (mesh.grid) {
    for_each_grid_face(mesh.P, mesh.Q, f);
  } else if (mesh.wide) {
    for_each_listed_face(static_cast<const int64_t*>(mesh.faces), mesh.F, N, f);
  } else {
    for_each_listed_face(static_cast<const int32_t*>(mesh.faces), mesh.F, N, f);
  }
}

// The finite vertices whose triangles' areas, summed in ascending face order, face the viewer.
template <class T>
std::vector<Candidate<T>> facing_vertices(const T* points, int64_t N, const Mesh& mesh) {
  std::vector<T> area(static_cast<size_t>(N), T(0));
  for_each_face(mesh, N, [&](Face face) {
    const T part = occluder_area(load3(points + 3 * face.i), load3(points + 3 * face.j), load3(points + 3 * face.k));
    area[static_cast<size_t>(face.i)] += part;
    area[static_cast<size_t>(face.j)] += part;
    area[static_cast<size_t>(face.k)] += part;
  });
  std::vector<Candidate<T>> facing;
  facing.reserve(static_cast<size_t>(N));
  for (int64_t n = 0; n < N; ++n) {
    const Vec3<T> p = load3(points + 3 * n);
    if (area[static_cast<size_t>(n)] < T(0) && is_finite(p)) {
      facing.push_back({p.x, p.y, p.z, static_cast<int32_t>(n)});
    }
  }
  return facing;
}

// Clears `visible` for the candidates that this face hides.
template <class T>
void hide_behind(const T* points, Face face, T tolerance, VertexBins<T>& bins, T* visible) {
  const Vec3<T> a = load3(points + 3 * face.i), b = load3(points + 3 * face.j), c = load3(points + 3 * face.k);
  const T area = occluder_area(a, b, c);
  if (area == T(0)) {
    return;
  }
  const T x0 = min3(a.x, b.x, c.x), x1 = max3(a.x, b.x, c.x);
  const T y0 = min3(a.y, b.y, c.y), y1 = max3(a.y, b.y, c.y);
  const T nearest = max3(a.z, b.z, c.z) - tolerance;
  bins.for_each_in_shadow(face, x0, x1, y0, y1, nearest, [&](Candidate<T>& p) {
    T depth;
    if (covers(face, area, a, b, c, p.x, p.y, depth) && p.depth < depth - tolerance) {
      visible[p.vertex] = T(0);
      p.depth = std::numeric_limits<T>::infinity();  // settled: every later triangle passes it by
    }
  });
}

}  // namespace

template <class T>
void visible_vertices(const T* points, int64_t N, const Mesh& mesh, T tolerance, T* visible) {
  std::fill(visible, visible + N, T(0));
  const std::vector<Candidate<T>> facing = facing_vertices(points, N, mesh);
  if (facing.empty()) {
    return;
  }
  for (const Candidate<T>& candidate : facing) {
    visible[candidate.vertex] = T(1);
  }
  VertexBins<T> bins(facing);
  for_each_face(mesh, N, [&](Face face) { hide_behind(points, face, tolerance, bins, visible); });
}

template void visible_vertices<float>(const float*, int64_t, const Mesh&, float, float*);
template void visible_vertices<double>(const double*, int64_t, const Mesh&, double, double*);

namespace {

Mesh mesh_of_image(const VisibilityInputs& in, int64_t b) {
  if (!in.faces.has_value()) {
    return grid_mesh(in.P, in.Q);
  }
  const int64_t bytes = in.F * 3 * (in.wide ? 8 : 4);
  const char* faces = in.F == 0 ? nullptr : pointer<char>(*in.faces) + (in.per_image ? b * bytes : 0);
  return {false, 0, 0, faces, in.wide, in.F};
}

Tensor visibility_cpu(
    const Tensor& points, const std::optional<Tensor>& faces, int64_t P, int64_t Q, double tolerance) {
  const VisibilityInputs in(points, faces, P, Q);
  const Tensor visible = uninitialised(in.points, {in.B, in.N});
  dispatch_floating(in.points, "visibility", [&](auto type) {
    using T = decltype(type);
    const T* points_of_batch = pointer<T>(in.points);
    T* visible_of_batch = mutable_pointer<T>(visible);
    torch::stable::parallel_for(0, in.B, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        visible_vertices(
            points_of_batch + 3 * b * in.N, in.N, mesh_of_image(in, b), static_cast<T>(tolerance),
            visible_of_batch + b * in.N);
      }
    });
  });
  return visible;
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("visibility", TORCH_BOX(&stn::visibility_cpu));
}
