// Which vertices face the viewer (docs/math.md#visibility), and how many candidates each cell gets. The areas around a
// vertex are added in ascending face order, as on the CPU, by the one thread that the vertex has: no atomics but the
// cells' integer counts, whose order is free (bins_cuda.cu). This file must be compiled without contraction
// (visibility_math.h).
#include "visibility/visibility_cuda.h"

#include "common/launch.h"
#include "visibility/mesh_kernels.h"
#include "visibility/screen_bins.h"
#include "visibility/visibility_math.h"

namespace stn {
namespace {

// Takes vertex n in or leaves it out, given the sum of its triangles' areas.
template <class T>
__device__ __forceinline__ void judge_vertex(
    const VisibilityParams<T>& p, int64_t b, int64_t n, Vec3<T> point, T area) {
  const int64_t i = b * p.N + n;
  const bool candidate = area < T(0) && is_finite(point) && (p.fresh || p.visible[i] != T(0));
  if (p.fresh || !candidate) {
    p.visible[i] = candidate ? T(1) : T(0);
  }
  int32_t rank = -1;
  if (candidate) {
    const ImageBins<T> bins(p.bins, b, p.N);
    rank = atomicAdd(&bins.starts[bins.place(point)], 1);
  }
  p.bins.ranks[i] = rank;
}

// The area of the triangle if it exists; corners are places in the patch.
template <class T, class Patch>
__device__ __forceinline__ T area_in_patch(const Patch& patch, Face face, bool exists) {
  const T area = occluder_area(patch.at(face.i), patch.at(face.j), patch.at(face.k));
  return exists ? area : T(0);
}

// One thread a vertex, with its block's patch of points and a frame of one point around it in shared memory. Reads
// 12 bytes a vertex (and a third of that again, for the frames, from the second-level cache), writes 4 + 4, and counts.
template <class T>
__global__ void facing_grid_kernel(VisibilityParams<T> p, GridFaces faces, uint32_t parts, uint32_t across) {
  constexpr int kColumns = kPatchColumns + 2;
  __shared__ PointPatch<T, kPatchRows + 2, kColumns> patch;
  const GridPart place = grid_part(parts, across);
  patch.load(p.points + 3 * place.b * p.N, faces.P, faces.Q, place.row - 1, place.column - 1);
  __syncthreads();
  const int i = threadIdx.x / kWarp, j = threadIdx.x % kWarp;
  const int64_t r = place.row + i, c = place.column + j;
  if (r >= faces.P || c >= faces.Q) {
    return;
  }
  const bool above = r > 0, below = r + 1 < faces.P, left = c > 0, right = c + 1 < faces.Q;
  // The patch is a grid of its own. Its four cells around this vertex, and from each the triangles that have it.
  const int last = (i + 1) * kColumns + (j + 1), first = last - kColumns - 1;
  T area = T(0);
  area += area_in_patch<T>(patch, grid_face(first, kColumns, 1), above && left);
  area += area_in_patch<T>(patch, grid_face(first + 1, kColumns, 0), above && right);
  area += area_in_patch<T>(patch, grid_face(first + 1, kColumns, 1), above && right);
  area += area_in_patch<T>(patch, grid_face(last - 1, kColumns, 0), below && left);
  area += area_in_patch<T>(patch, grid_face(last - 1, kColumns, 1), below && left);
  area += area_in_patch<T>(patch, grid_face(last, kColumns, 0), below && right);
  judge_vertex(p, place.b, r * faces.Q + c, patch.at(last), area);
}

// first[n] = how many of the sorted vertices are less than n: one thread for each n from 0 to N, by bisection.
template <class Index>
__global__ void bisect_kernel(ListedFaces<Index> faces, int64_t N, uint32_t parts) {
  const ImagePart place = image_part(parts);
  const int64_t n = place.part * kThreads + threadIdx.x;
  if (n > N) {
    return;
  }
  const Index* vertices = faces.vertices + place.b * 3 * faces.F;
  int64_t low = 0, high = 3 * faces.F;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (static_cast<int64_t>(vertices[middle]) < n) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  faces.first[place.b * (N + 1) + n] = static_cast<int32_t>(low);
}

// One thread a vertex, over its corners in ascending face order; a face that has it twice counts twice, and has no
// area. Reads about 8 + 3 indices and 36 bytes for each corner, and writes 4 + 4 bytes a vertex, and counts.
template <class T, class Index>
__global__ void facing_listed_kernel(VisibilityParams<T> p, ListedFaces<Index> faces, uint32_t parts) {
  const ImagePart place = image_part(parts);
  const int64_t n = place.part * kThreads + threadIdx.x;
  if (n >= p.N) {
    return;
  }
  const int64_t list = faces.per_image ? place.b : 0;
  const T* points = p.points + 3 * place.b * p.N;
  const int64_t* corners = faces.corners + list * 3 * faces.F;
  const int32_t* first = faces.first + list * (p.N + 1) + n;
  T area = T(0);
  for (int32_t i = first[0]; i < first[1]; ++i) {
    Face face;
    if (load_face(faces.faces + list * 3 * faces.F + corners[i] / 3 * 3, p.N, face)) {
      area += occluder_area(
          load3(points + 3 * static_cast<int64_t>(face.i)), load3(points + 3 * static_cast<int64_t>(face.j)),
          load3(points + 3 * static_cast<int64_t>(face.k)));
    }
  }
  judge_vertex(p, place.b, n, load3(points + 3 * n), area);
}

}  // namespace

template <class T>
void launch_facing(const VisibilityParams<T>& params, const GridFaces& faces, CudaStream stream) {
  const int64_t across = ceil_divide(faces.Q, kPatchColumns), parts = across * ceil_divide(faces.P, kPatchRows);
  launch_parts(stream, params.B, parts, facing_grid_kernel<T>, params, faces, parts, across);
}

template <class T, class Index>
void launch_facing(const VisibilityParams<T>& params, const ListedFaces<Index>& faces, CudaStream stream) {
  const int64_t lists = faces.per_image ? params.B : 1, ends = ceil_divide(params.N + 1, kThreads);
  launch_parts(stream, lists, ends, bisect_kernel<Index>, faces, params.N, ends);
  const int64_t parts = ceil_divide(params.N, kThreads);
  launch_parts(stream, params.B, parts, facing_listed_kernel<T, Index>, params, faces, parts);
}

template void launch_facing(const VisibilityParams<float>&, const GridFaces&, CudaStream);
template void launch_facing(const VisibilityParams<double>&, const GridFaces&, CudaStream);
template void launch_facing(const VisibilityParams<float>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_facing(const VisibilityParams<float>&, const ListedFaces<int64_t>&, CudaStream);
template void launch_facing(const VisibilityParams<double>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_facing(const VisibilityParams<double>&, const ListedFaces<int64_t>&, CudaStream);

}  // namespace stn
