// The faces of one image's mesh on the CPU, and who does which part of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "visibility/visibility_cpu.h"
#include "visibility/visibility_inputs.h"
#include "visibility/visibility_math.h"

namespace stn {

// The corners of a face.
template <class T>
struct Triangle {
  Vec3<T> a, b, c;

  Triangle(const T* points, Face face) : a(at(points, face.i)), b(at(points, face.j)), c(at(points, face.k)) {
  }

  static Vec3<T> at(const T* points, int32_t vertex) {
    return load3(points + 3 * static_cast<int64_t>(vertex));
  }
};

// f(face, index) for every face, or those of first <= index < last, in ascending order. Both are even for a grid.
template <class F>
void for_each_grid_face(int64_t Q, int64_t first, int64_t last, const F& f) {
  const int64_t across = Q - 1;
  for (int64_t index = first; index < last;) {
    const int64_t r = index / 2 / across, end = last < 2 * (r + 1) * across ? last : 2 * (r + 1) * across;
    for (int64_t vertex = r * Q + (index / 2 - r * across); index < end; index += 2, ++vertex) {
      f(grid_face(static_cast<int32_t>(vertex), static_cast<int32_t>(Q), 0), index);
      f(grid_face(static_cast<int32_t>(vertex), static_cast<int32_t>(Q), 1), index + 1);
    }
  }
}

// False for a face with an index that names no vertex.
template <class Index>
bool load_listed_face(const Index* indices, int64_t N, Face& face) {
  const auto exists = [N](Index index) { return index >= 0 && static_cast<int64_t>(index) < N; };
  face = {static_cast<int32_t>(indices[0]), static_cast<int32_t>(indices[1]), static_cast<int32_t>(indices[2])};
  return exists(indices[0]) && exists(indices[1]) && exists(indices[2]);
}

// What f reads of each vertex: Stride numbers. In a mesh without order they are anywhere in memory, and so are asked
// for ahead of time.
template <class T, int Stride>
struct OfVertices {
  const T* values;  // (N, Stride)
  int64_t N;

  template <class Index>
  void prefetch(const Index* indices) const {
#if defined(__GNUC__)
    for (int corner = 0; corner < 3; ++corner) {
      const int64_t n = static_cast<int64_t>(indices[corner]);
      __builtin_prefetch(values + Stride * (n >= 0 && n < N ? n : 0));
    }
#endif
  }
};

template <class Values, class Index, class F>
void for_each_listed_face(const Values& values, const Index* faces, int64_t first, int64_t last, const F& f) {
  constexpr int64_t ahead = 16;
  for (int64_t index = first; index < last; ++index) {
    if (index + ahead < last) {
      values.prefetch(faces + 3 * (index + ahead));
    }
    if (Face face; load_listed_face(faces + 3 * index, values.N, face)) {
      f(face, index);
    }
  }
}

template <class Values, class F>
void for_each_face(const Values& values, const Mesh& mesh, int64_t first, int64_t last, const F& f) {
  if (mesh.grid) {
    for_each_grid_face(mesh.Q, first, last, f);
  } else if (mesh.wide) {
    for_each_listed_face(values, static_cast<const int64_t*>(mesh.faces), first, last, f);
  } else {
    for_each_listed_face(values, static_cast<const int32_t*>(mesh.faces), first, last, f);
  }
}

template <class T, class F>
void for_each_face(const T* points, int64_t N, const Mesh& mesh, int64_t first, int64_t last, const F& f) {
  for_each_face(OfVertices<T, 3>{points, N}, mesh, first, last, f);
}

template <class T, class F>
void for_each_face(const T* points, int64_t N, const Mesh& mesh, const F& f) {
  for_each_face(points, N, mesh, 0, mesh.F, f);
}

// False for an index that names no face, and for a face that does not exist.
inline bool load_mesh_face(const Mesh& mesh, int64_t N, int64_t index, Face& face) {
  if (index < 0 || index >= mesh.F) {
    return false;
  }
  if (mesh.grid) {
    const int64_t cell = index / 2, first = cell / (mesh.Q - 1) * mesh.Q + cell % (mesh.Q - 1);
    face = grid_face(static_cast<int32_t>(first), static_cast<int32_t>(mesh.Q), static_cast<int32_t>(index % 2));
    return true;
  }
  return mesh.wide ? load_listed_face(static_cast<const int64_t*>(mesh.faces) + 3 * index, N, face)
                   : load_listed_face(static_cast<const int32_t*>(mesh.faces) + 3 * index, N, face);
}

inline Mesh mesh_of_image(const VisibilityInputs& in, int64_t b) {
  if (!in.faces.has_value()) {
    return grid_mesh(in.P, in.Q);
  }
  const int64_t bytes = in.F * 3 * (in.wide ? 8 : 4);
  const char* faces = in.F == 0 ? nullptr : pointer<char>(*in.faces) + (in.per_image ? b * bytes : 0);
  return {false, 0, 0, faces, in.wide, in.F};
}

// f(b, parts) for every image: side by side where there are enough images for the threads, else one after another,
// each in parts.
template <class F>
void for_each_image(int64_t B, int64_t N, const F& f) {
  constexpr int64_t worth = 4096;  // vertices
  const int64_t threads = torch::stable::get_num_threads(), parts = std::min(threads, N / worth + 1);
  if (B >= threads || parts == 1) {
    torch::stable::parallel_for(0, B, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        f(b, int64_t{1});
      }
    });
    return;
  }
  for (int64_t b = 0; b < B; ++b) {
    f(b, parts);
  }
}

// f(part, first, last) for 0 <= part < parts, which share what is numbered 0 <= n < count.
template <class F>
void for_each_part(int64_t count, int64_t parts, const F& f) {
  if (parts == 1) {
    return f(int64_t{0}, int64_t{0}, count);
  }
  torch::stable::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      f(part, count * part / parts, count * (part + 1) / parts);
    }
  });
}

// Faces are shared in stretches: an even number of them, for the triangles of a cell of the grid stay together.
constexpr int64_t kStretch = 1024;

inline int64_t stretches_of(const Mesh& mesh) {
  return (mesh.F + kStretch - 1) / kStretch;
}

template <class F>
void for_each_part_of_faces(const Mesh& mesh, int64_t parts, const F& f) {
  for_each_part(stretches_of(mesh), parts, [&](int64_t part, int64_t first, int64_t last) {
    f(part, first * kStretch, std::min(last * kStretch, mesh.F));
  });
}

}  // namespace stn
