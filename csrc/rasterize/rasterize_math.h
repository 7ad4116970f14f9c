// Which pixel centres a face covers, where in the face they lie, and how deep (docs/math.md#rasterize). CPU and CUDA
// must agree to the last bit, so nothing here may be contracted to a fused multiply-add.
#pragma once

#include <cstdint>

#include "sample/sample_math.h"
#include "visibility/visibility_math.h"

namespace stn {

// Pixels along a side of the image: above 2^24, float32 cannot tell neighbours apart.
constexpr int64_t kLongestSide = int64_t(1) << 24;

// One image's mesh.
template <class T, class Index>
struct ImageMesh {
  const T* points;     // (N, 3) pixels
  const Index* faces;  // (F, 3)
  int64_t N, F;

  // False for a face with an index that names no vertex.
  STN_HD bool load(int64_t f, Face& face) const {
    const Index i = faces[3 * f], j = faces[3 * f + 1], k = faces[3 * f + 2];
    face = {static_cast<int32_t>(i), static_cast<int32_t>(j), static_cast<int32_t>(k)};
    return exists(i) & exists(j) & exists(k);
  }

  STN_HD Vec3<T> point(int32_t vertex) const {
    return load3(points + 3 * static_cast<int64_t>(vertex));
  }

 private:
  STN_HD bool exists(Index index) const {
    return index >= 0 && static_cast<int64_t>(index) < N;
  }
};

// The pixel centres first <= i <= last of one axis; none if last < first.
struct Centres {
  int32_t first, last;
};

// Those between low and high on an axis of `size` pixels. Clamped before the conversion to integers; NaN is no bound.
template <class T>
STN_HD Centres centres_between(T low, T high, int32_t size) {
  const T end = static_cast<T>(size);
  const T from = low > T(0) ? (low < end ? low : end) : T(0);
  const T to = high < end ? (high > T(-1) ? high : T(-1)) : end;
  const int32_t last = floor_to_int(to);
  return {-floor_to_int(-from), last < size ? last : size - 1};
}

// edge_function of visibility_math.h, the vertex with the lower index and the sign settled once: positive inside.
template <class T>
struct Edge {
  T x, y, along_x, along_y;
  T on_edge;  // what stands for 0: 1 for a left or a top edge, which keeps the pixel centres on it, else 0

  STN_HD T at(T px, T py) const {
    return along_x * (py - y) - along_y * (px - x);
  }

  // Positive if the pixel centre lies on the face's side.
  STN_HD T side(T value) const {
    return value == T(0) ? on_edge : value;
  }
};

// The edge from vertex i at a to vertex j at b of a face whose double area has this sign. It grows to the right across
// a left edge, and downwards across a top edge.
template <class T>
STN_HD Edge<T> face_edge(int32_t i, Vec3<T> a, int32_t j, Vec3<T> b, T sign) {
  const Vec3<T> low = i < j ? a : b, high = i < j ? b : a;
  const T towards = i < j ? sign : -sign;
  const T along_x = towards * (high.x - low.x), along_y = towards * (high.y - low.y);
  const bool keeps = along_y < T(0) || (along_y == T(0) && along_x > T(0));
  return {low.x, low.y, along_x, along_y, keeps ? T(1) : T(0)};
}

// A face that can be drawn.
template <class T>
struct DrawnFace {
  Edge<T> bc, ca, ab;
  T a_depth, b_depth, c_depth, farthest, nearest;
};

// False for a face that draws nothing: of no area, or with a corner or an area that is not finite.
template <class T>
STN_HD bool prepare_face(Face face, Vec3<T> a, Vec3<T> b, Vec3<T> c, DrawnFace<T>& drawn) {
  const T area = occluder_area(a, b, c);
  const T sign = area > T(0) ? T(1) : T(-1);
  drawn = {
      face_edge(face.j, b, face.k, c, sign),
      face_edge(face.k, c, face.i, a, sign),
      face_edge(face.i, a, face.j, b, sign),
      a.z,
      b.z,
      c.z,
      min3(a.z, b.z, c.z),
      max3(a.z, b.z, c.z)};
  return area != T(0);
}

// What a face shows at a pixel centre; without meaning unless covered.
template <class T>
struct Fragment {
  bool covered;
  T a, b, c;  // barycentric coordinates
  T depth;    // never a negative zero, so that equal depths have equal bits
};

// At a pixel centre of the face's box. Without a branch, for loops over a row.
template <class T>
STN_HD Fragment<T> fragment_at(const DrawnFace<T>& face, T x, T y) {
  const T wa = face.bc.at(x, y), wb = face.ca.at(x, y), wc = face.ab.at(x, y);
  const T sum = wa + wb + wc;
  const T inside = min3(face.bc.side(wa), face.ca.side(wb), face.ab.side(wc));
  const T a = wa / sum, b = wb / sum, c = wc / sum;
  const T plane = a * face.a_depth + b * face.b_depth + c * face.c_depth;
  const T depth = plane < face.farthest ? face.farthest : (plane > face.nearest ? face.nearest : plane);
  return {static_cast<bool>((inside > T(0)) & (sum > T(0)) & is_finite(sum)), a, b, c, depth + T(0)};
}

template <class T>
struct CornerGradients {
  Vec3<T> a, b, c;
};

// The gradient to the corners of a face from a pixel at its barycentric coordinates `at`, whose own gradients are
// grad_barycentric and grad_depth.
template <class T>
STN_HD CornerGradients<T> fragment_vjp(
    Vec3<T> a, Vec3<T> b, Vec3<T> c, Vec3<T> at, Vec3<T> grad_barycentric, T grad_depth) {
  const T at_a = grad_barycentric.x + grad_depth * a.z;
  const T ab = grad_barycentric.y + grad_depth * b.z - at_a, ac = grad_barycentric.z + grad_depth * c.z - at_a;
  const T area = double_area(a, b, c.x, c.y);
  const T slope_x = (ab * (c.y - a.y) - ac * (b.y - a.y)) / area;
  const T slope_y = (ac * (b.x - a.x) - ab * (c.x - a.x)) / area;
  const Vec3<T> pull = {-slope_x, -slope_y, grad_depth};
  return {at.x * pull, at.y * pull, at.z * pull};
}

// What the pixels of one image show and the gradients to it, null where there is none.
template <class T>
struct PictureGradients {
  const int64_t* face;        // (H W)
  const T* barycentric;       // (H W, 3)
  const T* grad_barycentric;  // (H W, 3)
  const T* grad_depth;        // (H W)

  // False for a pixel that shows no face of the mesh.
  template <class Index>
  STN_HD bool load(const ImageMesh<T, Index>& mesh, int64_t pixel, Face& shown) const {
    const int64_t f = face[pixel];
    return f >= 0 && f < mesh.F && mesh.load(f, shown);
  }

  // From one pixel to the corners of the face that it shows.
  template <class Index>
  STN_HD CornerGradients<T> to_corners(const ImageMesh<T, Index>& mesh, int64_t pixel, Face shown) const {
    const Vec3<T> none = {T(0), T(0), T(0)};
    return fragment_vjp(
        mesh.point(shown.i), mesh.point(shown.j), mesh.point(shown.k), load3(barycentric + 3 * pixel),
        grad_barycentric == nullptr ? none : load3(grad_barycentric + 3 * pixel),
        grad_depth == nullptr ? T(0) : grad_depth[pixel]);
  }
};

}  // namespace stn
