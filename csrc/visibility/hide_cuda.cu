// visible = 0 for every candidate behind a triangle (docs/math.md#visibility). Each triangle looks at the candidates of
// the cells that it may cover (occluder_walk.h), so all that matter are tested against all that can hide them,
// whatever the order of cells and candidates; a vertex is hidden if any test says so, and all who find it write the
// same 0. The result is thus repeatable, and equal to the CPU's in every bit: the tests are the same. Few vertices are
// written. This file must be compiled without contraction (visibility_math.h).
#include "visibility/occluder_walk.h"
#include "visibility/visibility_cuda.h"

namespace stn {
namespace {

// Several threads may hide a vertex at once. 0 is all bits 0.
__device__ __forceinline__ void hide(float* visible) {
  atomicExch(visible, 0.0f);
}
__device__ __forceinline__ void hide(double* visible) {
  atomicExch(reinterpret_cast<unsigned long long*>(visible), 0ull);
}

template <class T>
struct Hiding {
  T* visible;  // (N)
  T tolerance;

  __device__ __forceinline__ Hiding(const VisibilityParams<T>& p, int64_t b)
      : visible(p.visible + b * p.N), tolerance(p.tolerance) {
  }

  __device__ __forceinline__ T nearest(T of_occluder) const {
    return of_occluder - tolerance;
  }

  template <class Occluder>
  __device__ __forceinline__ void meet(const Occluder& occluder, const ScreenVertex<T>& candidate) const {
    if (occluder.hides(candidate, tolerance)) {
      hide(visible + candidate.vertex);
    }
  }

  template <class Cell, class Quad>
  __device__ __forceinline__ void meet_far_corner(const Cell& cell, const Quad& quad, int which) const {
    if (quad.hides(which, quad.far_corner(which), tolerance)) {
      hide(visible + cell.far_corner(which));
    }
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads, kBlocks<T>)
    hide_grid_kernel(VisibilityParams<T> p, GridFaces faces, uint32_t parts, uint32_t across) {
  const GridPart place = grid_part(parts, across);
  walk_grid(p, faces, place, Hiding<T>(p, place.b));
}

template <class T, class Index>
__global__ void __launch_bounds__(kThreads, kBlocks<T>)
    hide_listed_kernel(VisibilityParams<T> p, ListedFaces<Index> faces, uint32_t parts) {
  const ImagePart place = image_part(parts);
  walk_listed(p, faces, place, Hiding<T>(p, place.b));
}

}  // namespace

template <class T>
void launch_hide(const VisibilityParams<T>& params, const GridFaces& faces, CudaStream stream) {
  if (const GridParts parts = grid_cell_parts(faces); parts.count > 0) {
    launch_parts(stream, params.B, parts.count, hide_grid_kernel<T>, params, faces, parts.count, parts.across);
  }
}

template <class T, class Index>
void launch_hide(const VisibilityParams<T>& params, const ListedFaces<Index>& faces, CudaStream stream) {
  const int64_t parts = ceil_divide(faces.F, kThreads);
  launch_parts(stream, params.B, parts, hide_listed_kernel<T, Index>, params, faces, parts);
}

template void launch_hide(const VisibilityParams<float>&, const GridFaces&, CudaStream);
template void launch_hide(const VisibilityParams<double>&, const GridFaces&, CudaStream);
template void launch_hide(const VisibilityParams<float>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_hide(const VisibilityParams<float>&, const ListedFaces<int64_t>&, CudaStream);
template void launch_hide(const VisibilityParams<double>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_hide(const VisibilityParams<double>&, const ListedFaces<int64_t>&, CudaStream);

}  // namespace stn
