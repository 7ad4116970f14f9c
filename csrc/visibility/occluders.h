// What hides vertices, one listed triangle or the two of a grid cell: a shadow that turns most vertices away by a few
// comparisons, and the exact test for the rest, which comes so rarely that the corners are read again for it rather
// than kept in registers (for .cu files that are compiled without contraction: visibility_math.h).
#pragma once

#include "visibility/mesh_kernels.h"
#include "visibility/screen_bins.h"
#include "visibility/visibility_math.h"

namespace stn {

// A triangle on the screen.
template <class T>
struct Corners {
  Vec3<T> a, b, c;

  __device__ __forceinline__ ScreenBox<T> box() const {
    return {min3(a.x, b.x, c.x), max3(a.x, b.x, c.x), min3(a.y, b.y, c.y), max3(a.y, b.y, c.y), max3(a.z, b.z, c.z)};
  }
};

// Whether a triangle of this area, of which p is no corner, hides it: the CPU's tests in another order. The box comes
// last, since it only turns away what rounding let through.
template <class T>
__device__ __forceinline__ bool is_behind(
    const ScreenVertex<T>& p, Face face, T area, const Corners<T>& t, T tolerance) {
  T depth;
  if (!covers(face, area, t.a, t.b, t.c, p.x, p.y, depth) || !(p.depth < depth - tolerance)) {
    return false;
  }
  const ScreenBox<T> box = t.box();
  return p.x >= box.x0 && p.x <= box.x1 && p.y >= box.y0 && p.y <= box.y1;
}

// Whether the triangle covers p; then `depth` is its plane's there.
template <class T>
__device__ __forceinline__ bool is_under(const ScreenVertex<T>& p, Face face, T area, const Corners<T>& t, T& depth) {
  const ScreenBox<T> box = t.box();
  return covers(face, area, t.a, t.b, t.c, p.x, p.y, depth) && p.x >= box.x0 && p.x <= box.x1 && p.y >= box.y0 &&
         p.y <= box.y1;
}

template <class T>
struct ListedTriangle {
  const T* points;  // (N, 3)
  Face face;
  int32_t index;

  __device__ __forceinline__ Corners<T> corners() const {
    return {
        load3(points + 3 * static_cast<int64_t>(face.i)), load3(points + 3 * static_cast<int64_t>(face.j)),
        load3(points + 3 * static_cast<int64_t>(face.k))};
  }

  // False if it hides nothing.
  __device__ __forceinline__ bool bound(ScreenBox<T>& box) const {
    const Corners<T> t = corners();
    box = t.box();
    return occluder_area(t.a, t.b, t.c) != T(0);
  }

  __device__ __forceinline__ T double_area() const {
    const Corners<T> t = corners();
    return fabs(occluder_area(t.a, t.b, t.c));
  }

  __device__ __forceinline__ bool has_corner(int32_t vertex) const {
    return (vertex == face.i) | (vertex == face.j) | (vertex == face.k);
  }

  __device__ __forceinline__ bool hides(const ScreenVertex<T>& p, T tolerance) const {
    const Corners<T> t = corners();
    return is_behind(p, face, occluder_area(t.a, t.b, t.c), t, tolerance);
  }

  // f(depth, face index) where the triangle covers p.
  template <class F>
  __device__ __forceinline__ void for_each_depth(const ScreenVertex<T>& p, const F& f) const {
    const Corners<T> t = corners();
    T depth;
    if (is_under(p, face, occluder_area(t.a, t.b, t.c), t, depth)) {
      f(depth, index);
    }
  }
};

// The two triangles of a grid cell. Seen as a grid of 2 x 2 its corners are 0 to 3, in the same order as their indices:
// so the edge functions are the same, and the compiler knows their order and that the diagonal is shared.
template <class T>
struct GridCell {
  const T* points;  // (P, Q, 3)
  int32_t first, Q;

  struct Quad {
    Vec3<T> corner[4];

    __device__ __forceinline__ Corners<T> triangle(int which) const {
      const Face face = grid_face(0, 2, which);
      return {corner[face.i], corner[face.j], corner[face.k]};
    }

    __device__ __forceinline__ T area(int which) const {
      const Corners<T> t = triangle(which);
      return occluder_area(t.a, t.b, t.c);
    }

    __device__ __forceinline__ bool hides(int which, const ScreenVertex<T>& p, T tolerance) const {
      const T size = area(which);
      return size != T(0) && is_behind(p, grid_face(0, 2, which), size, triangle(which), tolerance);
    }

    __device__ __forceinline__ bool covers(int which, const ScreenVertex<T>& p, T& depth) const {
      const T size = area(which);
      return size != T(0) && is_under(p, grid_face(0, 2, which), size, triangle(which), depth);
    }

    // Of the corner that only the other triangle has.
    __device__ __forceinline__ ScreenVertex<T> far_corner(int which) const {
      const Vec3<T> far = corner[3 * (1 - which)];
      return {far.x, far.y, far.z, 0};
    }

    // Whether the cell is folded along its diagonal, as seen by triangle `which`: the diagonal has its far corner on
    // its other side in all cells that are not.
    __device__ __forceinline__ bool is_folded(int which) const {
      const Face face = grid_face(0, 2, which);
      const ScreenVertex<T> far = far_corner(which);
      const T side = edge_function(face.j, corner[face.j], face.k, corner[face.k], far.x, far.y);
      return area(which) > T(0) ? side >= T(0) : side <= T(0);
    }
  };

  __device__ __forceinline__ Quad quad() const {
    const T* near = points + 3 * static_cast<int64_t>(first);
    const T* next = near + 3 * static_cast<int64_t>(Q);
    return {{load3(near), load3(near + 3), load3(next), load3(next + 3)}};
  }

  __device__ __forceinline__ ListedTriangle<T> triangle(int which) const {
    return {points, grid_face(first, Q, which), face_index(which)};
  }

  // False if neither triangle hides anything.
  __device__ __forceinline__ bool bound(const Quad& q, ScreenBox<T>& box) const {
    const bool alive0 = q.area(0) != T(0), alive1 = q.area(1) != T(0);
    if (!alive0 || !alive1) {  // perhaps a corner that is not finite
      box = alive0 ? q.triangle(0).box() : q.triangle(1).box();
      return alive0 || alive1;
    }
    const Vec3<T>(&c)[4] = q.corner;
    box = {
        min(min(c[0].x, c[1].x), min(c[2].x, c[3].x)), max(max(c[0].x, c[1].x), max(c[2].x, c[3].x)),
        min(min(c[0].y, c[1].y), min(c[2].y, c[3].y)), max(max(c[0].y, c[1].y), max(c[2].y, c[3].y)),
        max(max(c[0].z, c[1].z), max(c[2].z, c[3].z))};
    return true;
  }

  // Of both triangles.
  __device__ __forceinline__ T double_area() const {
    const Quad q = quad();
    return fabs(q.area(0)) + fabs(q.area(1));
  }

  __device__ __forceinline__ bool has_corner(int32_t vertex) const {
    const uint32_t ahead = static_cast<uint32_t>(vertex - first), below = ahead - static_cast<uint32_t>(Q);
    return (ahead <= 1) | (below <= 1);
  }

  __device__ __forceinline__ bool hides(const ScreenVertex<T>& p, T tolerance) const {
    const Quad q = quad();
    return q.hides(0, p, tolerance) || q.hides(1, p, tolerance);
  }

  // f(depth, face index) for the triangles that cover p.
  template <class F>
  __device__ __forceinline__ void for_each_depth(const ScreenVertex<T>& p, const F& f) const {
    const Quad q = quad();
#pragma unroll
    for (int which = 0; which < 2; ++which) {
      if (T depth; q.covers(which, p, depth)) {
        f(depth, face_index(which));
      }
    }
  }

  // A row of cells has one less than of vertices.
  __device__ __forceinline__ int32_t face_index(int which) const {
    return 2 * (first - first / Q) + which;
  }

  __device__ __forceinline__ int32_t far_corner(int which) const {
    return which == 0 ? first + Q + 1 : first;
  }
};

}  // namespace stn
