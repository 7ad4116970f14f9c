// How the threads of a block bring their occluders past the candidates of the cells that each touches, for kernels
// that do something to the vertices that an occluder concerns (for .cu files that are compiled without contraction:
// visibility_math.h).
//
// A thread takes a grid cell, whose two triangles have nearly the same box, or a listed triangle. In float32 it reads
// 12 bytes a point, and of the 4 + 16 bytes for each cell and candidate what its neighbours have not brought into the
// first-level cache. Where a box touches many cells or candidates the thread hands it in afterwards, to a warp of its
// block or to the whole block. Those look at 32 cells at a time, share their candidates evenly, and open the boxes of
// crowds (crowd_tree.h), so that what they cost grows with the cells and the candidates in the box, however unevenly
// these fill the screen.
//
// What is done to the vertices is an Effect: meet(occluder, candidate) is called for every candidate in an occluder's
// box, and perhaps for some beside it, that is no corner of it; meet_far_corner(cell, quad, which) for the corner of a
// folded grid cell that triangle `which` may cover. A candidate nearer than nearest(occluder's nearest depth) need not
// be met.
#pragma once

#include "common/launch.h"
#include "common/teams.h"
#include "visibility/crowd_tree.h"
#include "visibility/mesh_kernels.h"
#include "visibility/occluders.h"
#include "visibility/screen_bins.h"

namespace stn {

// What a thread walks by itself. A face at 224 x 224 hands in some four cells of its grid in a thousand.
constexpr int32_t kAloneRows = 16, kAloneColumns = 16;  // cells
constexpr int32_t kAloneCandidates = 32;                // in a row of them
constexpr int64_t kWarpCells = 1024;                    // what one warp walks by itself

// Blocks that shall fit on a multiprocessor: registers are short, and threads wait for memory most of the time.
template <class T>
constexpr int kBlocks = sizeof(T) == sizeof(float) ? 4 : 2;

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
  RowWalk walk(image.bins, cells, kAloneCandidates);
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
    const Image<T>& image, const Effect& effect, const Occluder& mine, bool exists, ScreenBox<T> box, int32_t number,
    HandedIn& handed_in) {
  const CellBox none = {0, 0, 0, 0}, cells = exists ? cells_of(image.bins, box) : none;
  const bool few = cells.rows <= kAloneRows && cells.columns <= kAloneColumns;
  box.nearest = effect.nearest(box.nearest);
  const bool done = walk_alone(image, effect, mine, Shadow<T>(box), few ? cells : none);
  if (!few || !done) {
    handed_in.add(number, static_cast<int64_t>(cells.rows) * cells.columns > kWarpCells);
  }
}

// Every lane has a run of candidates; f(place) for each of them, dealt out evenly over the warp.
template <class F>
__device__ __forceinline__ void for_each_of_runs(Run mine, const F& f) {
  const int lane = threadIdx.x % kWarp;
  const int32_t through = warp_running_sum(mine.count), before = through - mine.count;
  const int32_t all = __shfl_sync(kWholeWarp, through, kWarp - 1);
  for (int32_t first = 0; first < all; first += kWarp) {
    const int32_t i = first + lane;
    int owner = 0;  // the last lane whose run begins no later than the i-th of all
#pragma unroll
    for (int half = kWarp / 2; half > 0; half /= 2) {
      owner += __shfl_sync(kWholeWarp, before, owner + half) <= i ? half : 0;
    }
    const int32_t place = i + __shfl_sync(kWholeWarp, mine.begin - before, owner);
    if (i < all) {
      f(place);
    }
  }
}

// A box of cells for a team, which numbers them row by row.
template <class T>
class NumberedCells {
 public:
  __device__ __forceinline__ NumberedCells(const ImageBins<T>& bins, const CellBox& box)
      : first_(bins.starts + bins.place(box.row, box.column)), stride_(bins.side + 1), columns_(box.columns),
        count_(static_cast<uint32_t>(box.rows) * columns_) {
  }

  __device__ __forceinline__ uint32_t count() const {
    return count_;
  }

  // None beyond the last cell.
  __device__ __forceinline__ Run at(uint32_t i) const {
    if (i >= count_) {
      return {0, 0};
    }
    const int32_t* cell = first_ + (i / columns_ * stride_ + i % columns_);
    return {cell[0], cell[1] - cell[0]};
  }

 private:
  const int32_t* first_;
  uint32_t stride_, columns_, count_;
};

// A team's walk past all candidates in the box of an occluder.
template <class T, class Effect, class Occluder>
__device__ __forceinline__ void walk_together(
    const VisibilityParams<T>& p, const Image<T>& image, const Effect& effect, const Occluder& occluder, Team team) {
  ScreenBox<T> box;
  occluder.bound(box);
  const NumberedCells<T> cells(image.bins, cells_of(image.bins, box));
  box.nearest = effect.nearest(box.nearest);
  const auto look_at = [&](int32_t place) {
    const ScreenVertex<T> candidate = image.bins.sorted[place];
    if (box.holds(candidate) & !occluder.has_corner(candidate.vertex)) {
      effect.meet(occluder, candidate);
    }
  };
  const uint32_t lane = threadIdx.x % kWarp;
  for (uint32_t first = team.member - lane; first < cells.count(); first += team.size) {
    const Run run = cells.at(first + lane);
    const bool crowded = run.count > kCrowd;
    for (unsigned crowds = __ballot_sync(kWholeWarp, crowded); crowds != 0; crowds &= crowds - 1) {
      CrowdTree<T>(p.bins, image.bins, cells.at(first + __ffs(crowds) - 1)).walk(box, look_at);
    }
    for_each_of_runs(crowded ? Run{0, 0} : run, look_at);
  }
}

// Every triangle of the block's patch; a warp takes 4 x 8 cells of the grid, so that its threads look at much the same
// candidates.
template <class T, class Effect>
__device__ __forceinline__ void walk_grid(
    const VisibilityParams<T>& p, const GridFaces& faces, const GridPart& place, const Effect& effect) {
  __shared__ HandedIn handed_in;
  const Image<T> image(p, place.b);
  handed_in.clear();
  const auto cell_at = [&](int32_t first) { return GridCell<T>{image.points, first, static_cast<int32_t>(faces.Q)}; };
  const int64_t r = place.row + threadIdx.x / 128 * 4 + threadIdx.x / 8 % 4,
                c = place.column + threadIdx.x / 32 % 4 * 8 + threadIdx.x % 8;
  const GridCell<T> cell = cell_at(static_cast<int32_t>(r * faces.Q + c));
  ScreenBox<T> box = {};
  bool exists = false;
  if (r + 1 < faces.P && c + 1 < faces.Q) {
    const typename GridCell<T>::Quad quad = cell.quad();
#pragma unroll
    for (int which = 0; which < 2; ++which) {
      if (quad.is_folded(which)) {
        effect.meet_far_corner(cell, quad, which);
      }
    }
    exists = cell.bound(quad, box);
  }
  walk_each(image, effect, cell, exists, box, cell.first, handed_in);
  handed_in.take_together([&](int32_t first, Team team) { walk_together(p, image, effect, cell_at(first), team); });
}

// The block's kThreads listed triangles.
template <class T, class Index, class Effect>
__device__ __forceinline__ void walk_listed(
    const VisibilityParams<T>& p, const ListedFaces<Index>& faces, const ImagePart& place, const Effect& effect) {
  __shared__ HandedIn handed_in;
  const Image<T> image(p, place.b);
  const Index* list = faces.faces + (faces.per_image ? place.b * 3 * faces.F : 0);
  handed_in.clear();
  const auto load = [&](int32_t f, ListedTriangle<T>& triangle) {
    triangle.points = image.points;
    triangle.index = f;
    return load_face(list + 3 * static_cast<int64_t>(f), p.N, triangle.face);
  };
  const int64_t f = place.part * kThreads + threadIdx.x;
  ListedTriangle<T> triangle;
  ScreenBox<T> box = {};
  const bool exists = f < faces.F && load(static_cast<int32_t>(f), triangle) && triangle.bound(box);
  walk_each(image, effect, triangle, exists, box, static_cast<int32_t>(f), handed_in);
  handed_in.take_together([&](int32_t number, Team team) {
    ListedTriangle<T> other;
    load(number, other);
    walk_together(p, image, effect, other, team);
  });
}

// The patches of a grid's cells, `across` of them making a row.
struct GridParts {
  int64_t count, across;
};

inline GridParts grid_cell_parts(const GridFaces& faces) {
  if (faces.P < 2 || faces.Q < 2) {
    return {0, 0};
  }
  const int64_t across = ceil_divide(faces.Q - 1, kPatchColumns);
  return {across * ceil_divide(faces.P - 1, kPatchRows), across};
}

}  // namespace stn
