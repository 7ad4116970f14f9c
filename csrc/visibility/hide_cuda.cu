// visible = 0 for every candidate behind a triangle (docs/math.md#visibility). Each triangle looks at the candidates of
// the cells that its box touches, so all that matter are tested against all that can hide them, whatever the order of
// cells and candidates; a vertex is hidden if any test says so, and all who find it write the same 0. The result is
// thus repeatable, and equal to the CPU's in every bit: the tests are the same. This file must be compiled without
// contraction (visibility_math.h).
//
// A thread takes a grid cell, whose two triangles have nearly the same box, or a listed triangle. In float32 it reads
// 12 bytes a point, and of the 4 + 16 bytes for each cell and candidate what its neighbours have not brought into the
// first-level cache; few vertices are written. Where a box touches many cells or candidates the thread hands it in
// afterwards, to a warp of its block or to the whole block.
#include "visibility/visibility_cuda.h"

#include "common/launch.h"
#include "visibility/mesh_kernels.h"
#include "visibility/occluders.h"
#include "visibility/screen_bins.h"

namespace stn {
namespace {

// What a thread walks by itself. A face at 224 x 224 hands in some four cells of its grid in a thousand.
constexpr int32_t kAloneRows = 16, kAloneColumns = 16;  // cells
constexpr int32_t kAloneCandidates = 32;                // in a row of them
constexpr int64_t kWarpCells = 1024;                    // what one warp walks by itself

// The threads whose occluder is too much for one thread, and whether it is too much for a warp, too.
struct HandedIn {
  int count;
  unsigned threads[kThreads];
  bool whole[kThreads];
};

// What a block needs to know of its image.
template <class T>
struct Image {
  const T* points;  // (N, 3)
  T* visible;       // (N)
  T tolerance;
  ImageBins<T> bins;

  __device__ __forceinline__ Image(const VisibilityParams<T>& p, int64_t b)
      : points(p.points + 3 * b * p.N), visible(p.visible + b * p.N), tolerance(p.tolerance), bins(p.bins, b, p.N) {
  }
};

// Several threads may hide a vertex at once. 0 is all bits 0.
__device__ __forceinline__ void hide(float* visible) {
  atomicExch(visible, 0.0f);
}
__device__ __forceinline__ void hide(double* visible) {
  atomicExch(reinterpret_cast<unsigned long long*>(visible), 0ull);
}

// One thread's walk past all candidates in the cells of its occluder. False, with part of it done, if a row has too
// many. All threads of a warp call it, those without an occluder with no cells.
template <class T, class Occluder>
__device__ __forceinline__ bool hide_alone(
    const Image<T>& image, const Occluder& mine, const Shadow<T>& shadow, CellBox cells) {
  BoxWalk walk(image.bins, cells, {1, 0}, kAloneCandidates);
  while (true) {
    // Each thread goes on to a candidate in the shadow; the vote lets those who have one test theirs together.
    int32_t place, found = -1;
    while (found < 0 && walk.next(place)) {
      const ScreenVertex<T> candidate = image.bins.sorted[place];
      if (shadow.holds(candidate) & !mine.has_corner(candidate.vertex)) {
        found = place;
      }
    }
    if (!__any_sync(kWholeWarp, found >= 0)) {
      return !walk.crowded();
    }
    if (found >= 0) {
      const ScreenVertex<T> candidate = image.bins.sorted[found];
      if (mine.hides(candidate, image.tolerance)) {
        hide(image.visible + candidate.vertex);
      }
    }
  }
}

// Each thread's own occluder, as far as it has one; all of the block call it.
template <class T, class Occluder>
__device__ __forceinline__ void hide_each(
    const Image<T>& image, const Occluder& mine, bool exists, const ScreenBox<T>& box, HandedIn& handed_in) {
  const CellBox none = {0, 0, 0, 0}, cells = exists ? cells_of(image.bins, box) : none;
  const bool few = cells.rows <= kAloneRows && cells.columns <= kAloneColumns;
  const bool done = hide_alone(image, mine, Shadow<T>(box, image.tolerance), few ? cells : none);
  if (!few || !done) {
    const int place = atomicAdd(&handed_in.count, 1);
    handed_in.threads[place] = threadIdx.x;
    handed_in.whole[place] = static_cast<int64_t>(cells.rows) * cells.columns > kWarpCells;
  }
}

// The occluders that were handed in, each by a warp or by the block; of(thread) is a thread's.
template <class T, class Of>
__device__ __forceinline__ void hide_together(const Image<T>& image, const HandedIn& handed_in, const Of& of) {
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  for (int i = 0; i < handed_in.count; ++i) {
    const bool whole = handed_in.whole[i];
    if (!whole && i % (kThreads / kWarp) != warp) {
      continue;
    }
    const auto occluder = of(handed_in.threads[i]);
    ScreenBox<T> box;
    occluder.bound(box);
    const Shadow<T> shadow(box, image.tolerance);
    const Team team = whole ? Team{kThreads, static_cast<int>(threadIdx.x)} : Team{kWarp, lane};
    BoxWalk walk(image.bins, cells_of(image.bins, box), team, INT32_MAX);
    int32_t place;
    while (walk.next(place)) {
      const ScreenVertex<T> candidate = image.bins.sorted[place];
      if ((shadow.holds(candidate) & !occluder.has_corner(candidate.vertex)) &&
          occluder.hides(candidate, image.tolerance)) {
        hide(image.visible + candidate.vertex);
      }
    }
  }
}

// A warp takes 4 x 8 cells of the grid, so that its threads look at much the same candidates.
template <class T>
__global__ void hide_grid_kernel(VisibilityParams<T> p, GridFaces faces, uint32_t parts, uint32_t across) {
  __shared__ HandedIn handed_in;
  const GridPart place = grid_part(parts, across);
  const Image<T> image(p, place.b);
  if (threadIdx.x == 0) {
    handed_in.count = 0;
  }
  __syncthreads();
  const auto cell_of = [&](unsigned thread) {
    const int64_t r = place.row + thread / 128 * 4 + thread / 8 % 4,
                  c = place.column + thread / 32 % 4 * 8 + thread % 8;
    const bool exists = r + 1 < faces.P && c + 1 < faces.Q;
    return GridCell<T>{
        image.points, exists ? static_cast<int32_t>(r * faces.Q + c) : -1, static_cast<int32_t>(faces.Q)};
  };
  const GridCell<T> cell = cell_of(threadIdx.x);
  ScreenBox<T> box = {};
  bool exists = false;
  if (cell.first >= 0) {
    const typename GridCell<T>::Quad quad = cell.quad();
#pragma unroll
    for (int which = 0; which < 2; ++which) {
      if (cell.hides_far_corner(quad, which, image.tolerance)) {
        hide(image.visible + cell.far_corner(which));
      }
    }
    exists = cell.bound(quad, box);
  }
  hide_each(image, cell, exists, box, handed_in);
  __syncthreads();
  hide_together(image, handed_in, cell_of);
}

template <class T, class Index>
__global__ void hide_listed_kernel(VisibilityParams<T> p, ListedFaces<Index> faces, uint32_t parts) {
  __shared__ HandedIn handed_in;
  const ImagePart place = image_part(parts);
  const Image<T> image(p, place.b);
  const Index* list = faces.faces + (faces.per_image ? place.b * 3 * faces.F : 0);
  if (threadIdx.x == 0) {
    handed_in.count = 0;
  }
  __syncthreads();
  const auto triangle_of = [&](unsigned thread) {
    ListedTriangle<T> triangle = {image.points, {}};
    const int64_t f = place.part * kThreads + thread;
    if (f >= faces.F || !load_face(list + 3 * f, p.N, triangle.face)) {
      triangle.face.i = -1;
    }
    return triangle;
  };
  const ListedTriangle<T> triangle = triangle_of(threadIdx.x);
  ScreenBox<T> box = {};
  const bool exists = triangle.face.i >= 0 && triangle.bound(box);
  hide_each(image, triangle, exists, box, handed_in);
  __syncthreads();
  hide_together(image, handed_in, triangle_of);
}

}  // namespace

template <class T>
void launch_hide(const VisibilityParams<T>& params, const GridFaces& faces, CudaStream stream) {
  if (faces.P < 2 || faces.Q < 2) {
    return;
  }
  const int64_t across = parts_of(faces.Q - 1, kPatchColumns), parts = across * parts_of(faces.P - 1, kPatchRows);
  launch_parts(stream, params.B, parts, hide_grid_kernel<T>, params, faces, parts, across);
}

template <class T, class Index>
void launch_hide(const VisibilityParams<T>& params, const ListedFaces<Index>& faces, CudaStream stream) {
  const int64_t parts = parts_of(faces.F, kThreads);
  launch_parts(stream, params.B, parts, hide_listed_kernel<T, Index>, params, faces, parts);
}

template void launch_hide(const VisibilityParams<float>&, const GridFaces&, CudaStream);
template void launch_hide(const VisibilityParams<double>&, const GridFaces&, CudaStream);
template void launch_hide(const VisibilityParams<float>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_hide(const VisibilityParams<float>&, const ListedFaces<int64_t>&, CudaStream);
template void launch_hide(const VisibilityParams<double>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_hide(const VisibilityParams<double>&, const ListedFaces<int64_t>&, CudaStream);

}  // namespace stn
