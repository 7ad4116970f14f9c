// Three passes over one image: areas summed per vertex (facing), facing vertices sorted into screen cells, and one
// pass over the triangles, each looking at the vertices of the cells that its box touches. Linear in vertices,
// triangles and cells touched. One task an image, or several: each then has vertices of its own, first by their
// indices and then by their places on the screen, and goes through the faces that may concern them in the order of a
// single task; so nothing depends on their number.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")  // visibility_math.h
#endif

#include "visibility/visibility_cpu.h"

#include <limits>
#include <vector>

#include "visibility/mesh_cpu.h"
#include "visibility/vertex_bins.h"

namespace stn {
namespace {

template <class T>
struct Triangle {
  Vec3<T> a, b, c;

  Triangle(const T* points, Face face) : a(at(points, face.i)), b(at(points, face.j)), c(at(points, face.k)) {
  }

  static Vec3<T> at(const T* points, int32_t vertex) {
    return load3(points + 3 * static_cast<int64_t>(vertex));
  }
};

// f(first, last) for the parts of the faces.
template <class F>
void for_each_face_part(const Mesh& mesh, int64_t parts, const F& f) {
  const auto begin = [&](int64_t part) { return part == parts ? mesh.F : mesh.F / 2 * part / parts * 2; };
  for_each_part(parts, [&](int64_t part) { f(begin(part), begin(part + 1)); });
}

// The loop's body is inlined, also where a grid has it twice. Adds to area[n] (N,) the areas of the vertex's triangles
// in ascending face order.
template <class T>
void add_areas(const T* points, int64_t N, const Mesh& mesh, T* area) {
  for_each_face(points, N, mesh, [&](Face face, int64_t) __attribute__((always_inline)) {
    const Triangle<T> t(points, face);
    const T part = occluder_area(t.a, t.b, t.c);
    area[face.i] += part;
    area[face.j] += part;
    area[face.k] += part;
  });
}

// The same, in parts: first the faces are shared out, then the vertices, so that each has its sum from one hand.
template <class T>
void add_areas_in_parts(const T* points, int64_t N, const Mesh& mesh, int64_t parts, T* area) {
  std::vector<T> of_face(static_cast<size_t>(mesh.F));
  for_each_face_part(mesh, parts, [&](int64_t first, int64_t last) {
    for_each_face(points, N, mesh, first, last, [&](Face face, int64_t index) {
      const Triangle<T> t(points, face);
      of_face[static_cast<size_t>(index)] = occluder_area(t.a, t.b, t.c);
    });
  });
  for_each_part(parts, [&](int64_t part) {
    const int64_t first = N * part / parts, last = N * (part + 1) / parts;
    for_each_face(OfVertices<T, 1>{area, N}, mesh, 0, mesh.F, [&](Face face, int64_t index) {
      for (const int32_t vertex : {face.i, face.j, face.k}) {
        if (vertex >= first && vertex < last) {
          area[vertex] += of_face[static_cast<size_t>(index)];
        }
      }
    });
  });
}

// The finite vertices whose triangles' areas, summed in ascending face order, face the viewer; visible (N,) is 1 for
// them, else 0.
template <class T>
std::vector<Candidate<T>> facing_vertices(const T* points, int64_t N, const Mesh& mesh, int64_t parts, T* visible) {
  std::fill(visible, visible + N, T(0));  // the areas, until they are known
  if (parts == 1) {
    add_areas(points, N, mesh, visible);
  } else {
    add_areas_in_parts(points, N, mesh, parts, visible);
  }
  std::vector<Candidate<T>> facing;
  facing.reserve(static_cast<size_t>(N));
  for (int64_t n = 0; n < N; ++n) {
    const Vec3<T> p = load3(points + 3 * n);
    if (visible[n] < T(0) && is_finite(p)) {
      facing.push_back({p.x, p.y, p.z, static_cast<int32_t>(n)});
    }
  }
  std::fill(visible, visible + N, T(0));
  for (const Candidate<T>& candidate : facing) {
    visible[candidate.vertex] = T(1);
  }
  return facing;
}

// Inlined, also where a grid calls it twice: calls would be a fifth of the time. Calls f(candidate, depth) for the
// part's candidates that the face covers, at the depth of its plane, unless they lie nearer than all of it by the
// tolerance.
template <class T, class F>
__attribute__((always_inline)) inline void for_each_covered(
    const T* points, Face face, T tolerance, VertexBins<T>& bins, const typename VertexBins<T>::Part& part,
    const F& f) {
  const Triangle<T> t(points, face);
  const T area = occluder_area(t.a, t.b, t.c);
  if (area == T(0)) {
    return;
  }
  const ScreenBox<T> box = {
      min3(t.a.x, t.b.x, t.c.x), max3(t.a.x, t.b.x, t.c.x), min3(t.a.y, t.b.y, t.c.y), max3(t.a.y, t.b.y, t.c.y),
      max3(t.a.z, t.b.z, t.c.z) - tolerance};
  bins.for_each_in_shadow(part, face, box, [&](Candidate<T>& p) {
    T depth;
    if (covers(face, area, t.a, t.b, t.c, p.x, p.y, depth)) {
      f(p, depth);
    }
  });
}

// f(face, index, part) for every part of the candidates and every face that may concern it, in ascending order.
template <class T, class F>
void for_each_face_of_part(
    const T* points, int64_t N, const Mesh& mesh, const VertexBins<T>& bins, int64_t parts, const F& f) {
  const int64_t used = std::min(parts, static_cast<int64_t>(bins.candidates().size()));
  if (used == 1) {
    const auto whole = bins.part(0, 1);
    for_each_face(points, N, mesh, [&](Face face, int64_t index) { f(face, index, whole); });
    return;
  }
  // The rows that faces touch, found once for all parts; no row for those that do not exist.
  std::vector<typename VertexBins<T>::Rows> rows(static_cast<size_t>(mesh.F), {1, 0});
  for_each_face_part(mesh, used, [&](int64_t first, int64_t last) {
    for_each_face(points, N, mesh, first, last, [&](Face face, int64_t index) {
      const Triangle<T> t(points, face);
      if (occluder_area(t.a, t.b, t.c) != T(0)) {
        rows[static_cast<size_t>(index)] = bins.rows(min3(t.a.y, t.b.y, t.c.y), max3(t.a.y, t.b.y, t.c.y));
      }
    });
  });
  for_each_part(used, [&](int64_t i) {
    const auto part = bins.part(i, used);
    for_each_face(points, N, mesh, [&](Face face, int64_t index) {
      const auto of_face = rows[static_cast<size_t>(index)];
      if (of_face.first <= part.rows.last && of_face.last >= part.rows.first) {
        f(face, index, part);
      }
    });
  });
}

}  // namespace

template <class T>
void visible_vertices(const T* points, int64_t N, const Mesh& mesh, T tolerance, int64_t parts, T* visible) {
  const std::vector<Candidate<T>> facing = facing_vertices(points, N, mesh, parts, visible);
  if (facing.empty()) {
    return;
  }
  VertexBins<T> bins(facing);
  for_each_face_of_part(points, N, mesh, bins, parts, [&](Face face, int64_t, const auto& part) {
    for_each_covered(points, face, tolerance, bins, part, [&](Candidate<T>& p, T depth) {
      if (p.depth < depth - tolerance) {
        visible[p.vertex] = T(0);
        p.depth = std::numeric_limits<T>::infinity();  // settled: every later triangle passes it by
      }
    });
  });
}

template <class T>
void soft_visible_vertices(
    const T* points, int64_t N, const Mesh& mesh, SoftStep<T> step, int64_t parts, T* visible, int64_t* winner) {
  std::fill(winner, winner + N, int64_t{-1});
  std::vector<Candidate<T>> facing = facing_vertices(points, N, mesh, parts, visible);
  if (facing.empty()) {
    return;
  }
  for (Candidate<T>& candidate : facing) {
    candidate.depth = -std::numeric_limits<T>::infinity();
  }
  VertexBins<T> bins(facing);
  for_each_face_of_part(points, N, mesh, bins, parts, [&](Face face, int64_t index, const auto& part) {
    for_each_covered(points, face, T(0), bins, part, [&](Candidate<T>& p, T depth) {
      if (p.depth < depth) {  // of equal depths the first, the lowest face index, stays
        p.depth = depth;
        winner[p.vertex] = index;
      }
    });
  });
  for (const Candidate<T>& p : bins.candidates()) {
    if (winner[p.vertex] >= 0) {
      visible[p.vertex] = soft_visible(step, points[3 * static_cast<int64_t>(p.vertex) + 2], p.depth);
    }
  }
}

template void visible_vertices(const float*, int64_t, const Mesh&, float, int64_t, float*);
template void visible_vertices(const double*, int64_t, const Mesh&, double, int64_t, double*);
template void soft_visible_vertices(const float*, int64_t, const Mesh&, SoftStep<float>, int64_t, float*, int64_t*);
template void soft_visible_vertices(const double*, int64_t, const Mesh&, SoftStep<double>, int64_t, double*, int64_t*);

namespace {

std::tuple<Tensor, Tensor> visibility_cpu(
    const Tensor& points, const std::optional<Tensor>& faces, int64_t P, int64_t Q, const std::string& mode,
    double tolerance, double temperature) {
  const VisibilityInputs in(points, faces, P, Q);
  const bool soft = is_soft("visibility", mode);
  const Tensor visible = uninitialised(in.points, {in.B, in.N}), winner = uninitialised_winner(in, soft);
  dispatch_floating(in.points, "visibility", [&](auto type) {
    using T = decltype(type);
    const SoftStep<T> step = soft_step<T>(tolerance, temperature);
    for_each_image(in.B, in.N, [&](int64_t b, int64_t parts) {
      const T* points_of_image = pointer<T>(in.points) + 3 * b * in.N;
      T* visible_of_image = mutable_pointer<T>(visible) + b * in.N;
      const Mesh mesh = mesh_of_image(in, b);
      if (soft) {
        int64_t* winner_of_image = mutable_pointer<int64_t>(winner) + b * in.N;
        soft_visible_vertices(points_of_image, in.N, mesh, step, parts, visible_of_image, winner_of_image);
      } else {
        visible_vertices(points_of_image, in.N, mesh, step.tolerance, parts, visible_of_image);
      }
    });
  });
  return {visible, winner};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("visibility", TORCH_BOX(&stn::visibility_cpu));
}
