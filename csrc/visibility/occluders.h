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

template <class T>
struct ListedTriangle {
  const T* points;  // (N, 3)
  Face face;

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

  __device__ __forceinline__ bool has_corner(int32_t vertex) const {
    return (vertex == face.i) | (vertex == face.j) | (vertex == face.k);
  }

  __device__ __forceinline__ bool hides(const ScreenVertex<T>& p, T tolerance) const {
    const Corners<T> t = corners();
    return is_behind(p, face, occluder_area(t.a, t.b, t.c), t, tolerance);
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
  };

  __device__ __forceinline__ Quad quad() const {
    const T* near = points + 3 * static_cast<int64_t>(first);
    const T* next = near + 3 * static_cast<int64_t>(Q);
    return {{load3(near), load3(near + 3), load3(next), load3(next + 3)}};
  }

  // False if neither triangle hides anything.
  __device__ __forceinline__ bool bound(ScreenBox<T>& box) const {
    return bound(quad(), box);
  }

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

  __device__ __forceinline__ bool has_corner(int32_t vertex) const {
    const uint32_t ahead = static_cast<uint32_t>(vertex - first), below = ahead - static_cast<uint32_t>(Q);
    return (ahead <= 1) | (below <= 1);
  }

  __device__ __forceinline__ bool hides(const ScreenVertex<T>& p, T tolerance) const {
    const Quad q = quad();
    return q.hides(0, p, tolerance) || q.hides(1, p, tolerance);
  }

  // Whether triangle `which` hides the corner that only the other one has, in a cell folded along its diagonal: the
  // diagonal has that corner on its other side in all cells that are not.
  __device__ __forceinline__ bool hides_far_corner(const Quad& q, int which, T tolerance) const {
    const Face face = grid_face(0, 2, which);
    const Vec3<T> far = q.corner[3 * (1 - which)];
    const T side = edge_function(face.j, q.corner[face.j], face.k, q.corner[face.k], far.x, far.y);
    const bool folded = q.area(which) > T(0) ? side >= T(0) : side <= T(0);
    return folded && q.hides(which, {far.x, far.y, far.z, 0}, tolerance);
  }

  __device__ __forceinline__ int32_t far_corner(int which) const {
    return which == 0 ? first + Q + 1 : first;
  }
};

}  // namespace stn
