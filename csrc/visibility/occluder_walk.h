// How the threads of a block bring their occluders past the candidates of the cells that each touches, for kernels
// that do something to the vertices that an occluder concerns (for .cu files that are compiled without contraction:
// visibility_math.h).
//
// A thread takes a grid cell, whose two triangles have nearly the same box, or a listed triangle. In float32 it reads
// 12 bytes a point, and of the 4 + 16 bytes for each cell and candidate what its neighbours have not brought into the
// first-level cache. Where a box touches many cells or candidates the thread hands it in afterwards, to a warp of its
// block or to the whole block.
//
// What is done to the vertices is an Effect: meet(occluder, candidate) is called for every candidate in an occluder's
// box, and perhaps for some beside it, that is no corner of it; meet_far_corner(cell, quad, which) for the corner of a
// folded grid cell that triangle `which` may cover. A candidate nearer than nearest(occluder's nearest depth) need not
// be met.
#pragma once

#include "common/launch.h"
#include "visibility/mesh_kernels.h"
#include "visibility/occluders.h"
#include "visibility/screen_bins.h"

namespace stn {

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
  ImageBins<T> bins;

  __device__ __forceinline__ Image(const VisibilityParams<T>& p, int64_t b)
      : points(p.points + 3 * b * p.N), bins(p.bins, b, p.N) {
  }
};

// One thread's walk past all candidates in the cells of its occluder. False, with part of it done, if a row has too
// many. All threads of a warp call it, those without an occluder with no cells.
template <class T, class Effect, class Occluder>
__device__ __forceinline__ bool walk_alone(
    const Image<T>& image, const Effect& effect, const Occluder& mine, const Shadow<T>& shadow, CellBox cells) {
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
      effect.meet(mine, candidate);
    }
  }
}

// Each thread's own occluder, as far as it has one; all of the block call it.
template <class T, class Effect, class Occluder>
__device__ __forceinline__ void walk_each(
    const Image<T>& image, const Effect& effect, const Occluder& mine, bool exists, const ScreenBox<T>& box,
    HandedIn& handed_in) {
  const CellBox none = {0, 0, 0, 0}, cells = exists ? cells_of(image.bins, box) : none;
  const bool few = cells.rows <= kAloneRows && cells.columns <= kAloneColumns;
  const bool done = walk_alone(image, effect, mine, Shadow<T>(box, effect.nearest(box.nearest)), few ? cells : none);
  if (!few || !done) {
    const int place = atomicAdd(&handed_in.count, 1);
    handed_in.threads[place] = threadIdx.x;
    handed_in.whole[place] = static_cast<int64_t>(cells.rows) * cells.columns > kWarpCells;
  }
}

// The occluders that were handed in, each by a warp or by the block; of(thread) is a thread's.
template <class T, class Effect, class Of>
__device__ __forceinline__ void walk_together(
    const Image<T>& image, const Effect& effect, const HandedIn& handed_in, const Of& of) {
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  for (int i = 0; i < handed_in.count; ++i) {
    const bool whole = handed_in.whole[i];
    if (!whole && i % (kThreads / kWarp) != warp) {
      continue;
    }
    const auto occluder = of(handed_in.threads[i]);
    ScreenBox<T> box;
    occluder.bound(box);
    const Shadow<T> shadow(box, effect.nearest(box.nearest));
    const Team team = whole ? Team{kThreads, static_cast<int>(threadIdx.x)} : Team{kWarp, lane};
    BoxWalk walk(image.bins, cells_of(image.bins, box), team, INT32_MAX);
    int32_t place;
    while (walk.next(place)) {
      const ScreenVertex<T> candidate = image.bins.sorted[place];
      if (shadow.holds(candidate) & !occluder.has_corner(candidate.vertex)) {
        effect.meet(occluder, candidate);
      }
    }
  }
}

// Every triangle of the block's patch; a warp takes 4 x 8 cells of the grid, so that its threads look at much the same
// candidates.
template <class T, class Effect>
__device__ __forceinline__ void walk_grid(
    const VisibilityParams<T>& p, const GridFaces& faces, const GridPart& place, const Effect& effect) {
  __shared__ HandedIn handed_in;
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
      if (quad.is_folded(which)) {
        effect.meet_far_corner(cell, quad, which);
      }
    }
    exists = cell.bound(quad, box);
  }
  walk_each(image, effect, cell, exists, box, handed_in);
  __syncthreads();
  walk_together(image, effect, handed_in, cell_of);
}

// The block's kThreads listed triangles.
template <class T, class Index, class Effect>
__device__ __forceinline__ void walk_listed(
    const VisibilityParams<T>& p, const ListedFaces<Index>& faces, const ImagePart& place, const Effect& effect) {
  __shared__ HandedIn handed_in;
  const Image<T> image(p, place.b);
  const Index* list = faces.faces + (faces.per_image ? place.b * 3 * faces.F : 0);
  if (threadIdx.x == 0) {
    handed_in.count = 0;
  }
  __syncthreads();
  const auto triangle_of = [&](unsigned thread) {
    const int64_t f = place.part * kThreads + thread;
    ListedTriangle<T> triangle = {image.points, {}, static_cast<int32_t>(f)};
    if (f >= faces.F || !load_face(list + 3 * f, p.N, triangle.face)) {
      triangle.face.i = -1;
    }
    return triangle;
  };
  const ListedTriangle<T> triangle = triangle_of(threadIdx.x);
  ScreenBox<T> box = {};
  const bool exists = triangle.face.i >= 0 && triangle.bound(box);
  walk_each(image, effect, triangle, exists, box, handed_in);
  __syncthreads();
  walk_together(image, effect, handed_in, triangle_of);
}

// The patches of a grid's cells, `across` of them making a row.
struct GridParts {
  int64_t count, across;
};

inline GridParts grid_cell_parts(const GridFaces& faces) {
  if (faces.P < 2 || faces.Q < 2) {
    return {0, 0};
  }
  const int64_t across = parts_of(faces.Q - 1, kPatchColumns);
  return {across * parts_of(faces.P - 1, kPatchRows), across};
}

}  // namespace stn
