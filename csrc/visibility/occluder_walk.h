// How the threads of a block bring their occluders past the candidates of the cells that each touches, for kernels
// that do something to the vertices that an occluder concerns (for .cu files that are compiled without contraction:
// visibility_math.h).
//
// A thread takes a grid cell, whose two triangles have nearly the same box, or a listed triangle. In float32 it reads
// 12 bytes a point, and of the 4 + 16 bytes for each cell and candidate what its neighbours have not brought into the
// first-level cache. Where a box touches many cells or candidates the thread hands it in afterwards, to a warp of its
// block or to the whole block. Those go row by row through the cells that each triangle touches (cross_sections.h), 32
// at a time, share their candidates evenly, and open the boxes of crowds (crowd_tree.h), so that what they cost grows
// with the cells that the triangle covers and the candidates in these, however long and slanted the triangle is and
// however unevenly candidates fill the screen.
//
// What is done to the vertices is an Effect: meet(occluder, candidate) is called for every candidate that an occluder
// covers, and for some beside it, that is no corner of it; meet_far_corner(cell, quad, which) for the corner of a
// folded grid cell that triangle `which` may cover. A candidate nearer than nearest(occluder's nearest depth) need not
// be met.
#pragma once

#include "common/launch.h"
#include "common/teams.h"
#include "visibility/cross_sections.h"
#include "visibility/crowd_tree.h"
#include "visibility/mesh_kernels.h"
#include "visibility/occluders.h"
#include "visibility/screen_bins.h"

namespace stn {

// What a thread walks by itself. A face at 224 x 224 hands in some four cells of its grid in a thousand.
constexpr int32_t kAloneRows = 16, kAloneColumns = 16;  // cells
constexpr int32_t kAloneCandidates = 32;                // in a row of them
constexpr int64_t kWarpCells = 1024;                    // about what one warp walks by itself

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

// Whether a whole block takes an occluder of this box of cells and double area: of the cells that it covers there are
// about as many as fit into its area and along its sides.
template <class T>
__device__ __forceinline__ bool is_large(const ImageBins<T>& bins, const CellBox& box, T double_area) {
  const T fitting = T(0.5) * double_area * bins.horizontal.per_pixel * bins.vertical.per_pixel;
  return static_cast<int64_t>(box.rows) * box.columns > kWarpCells && fitting + box.rows + box.columns > kWarpCells;
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
    handed_in.add(number, is_large(image.bins, cells, mine.double_area()));
  }
}

// Every lane has a run of numbers. All lanes call f(number, exists) together, each with the next of all runs, as evenly
// dealt out over the warp as can be; `exists` is false beyond the last.
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
    f(i + __shfl_sync(kWholeWarp, static_cast<uint32_t>(mine.begin) - before, owner), i < all);
  }
}

// The cells that a triangle touches in row i of its box, by where they stand in `starts`; none below the box.
template <class T>
__device__ __forceinline__ Run cells_in_row(const ImageBins<T>& bins, const Corners<T>& t, int32_t i) {
  const CellBox box = cells_of(bins, t.box());
  if (i >= box.rows) {
    return {0, 0};
  }
  const int32_t row = box.row + i;
  const ColumnRange columns = CrossSections<T>(t.a, t.b, t.c, bins.vertical, bins.side)
                                  .columns(row, bins.horizontal, bins.side, {box.column, box.column + box.columns - 1});
  return {static_cast<int32_t>(bins.place(row, columns.first)), max(columns.last + 1 - columns.first, 0)};
}

// One warp's walk past all candidates in its lanes' rows of cells, 32 cells at a time and 32 candidates in these.
template <class T, class Effect, class Occluder>
__device__ __forceinline__ void walk_rows(
    const VisibilityParams<T>& p, const Image<T>& image, const Effect& effect, const Occluder& occluder, Run row) {
  ScreenBox<T> box = occluder.corners().box();
  box.nearest = effect.nearest(box.nearest);
  const auto look_at = [&](uint32_t place) {
    const ScreenVertex<T> candidate = image.bins.sorted[place];
    if (box.holds(candidate) & !occluder.has_corner(candidate.vertex)) {
      effect.meet(occluder, candidate);
    }
  };
  for_each_of_runs(row, [&](uint32_t place, bool exists) {
    const int32_t* cell = image.bins.starts + place;
    const Run run = exists ? Run{cell[0], cell[1] - cell[0]} : Run{0, 0};
    const bool crowded = run.count > kCrowd;
    for (unsigned crowds = __ballot_sync(kWholeWarp, crowded); crowds != 0; crowds &= crowds - 1) {
      const int lane = __ffs(crowds) - 1;
      const Run crowd = {__shfl_sync(kWholeWarp, run.begin, lane), __shfl_sync(kWholeWarp, run.count, lane)};
      CrowdTree<T>(p.bins, image.bins, crowd).walk(box, look_at);
    }
    for_each_of_runs(crowded ? Run{0, 0} : run, [&](uint32_t candidate, bool found) {
      if (found) {
        look_at(candidate);
      }
    });
  });
}

// A team's walk past all candidates in the cells that a triangle touches, which hides something. The team's warps take
// neighbouring rows, which are much the same work.
template <class T, class Effect, class Occluder>
__device__ __forceinline__ void walk_together(
    const VisibilityParams<T>& p, const Image<T>& image, const Effect& effect, const Occluder& occluder, Team team) {
  const int warps = team.size / kWarp, mine = team.member % kWarp * warps + team.member / kWarp;
  const int32_t rows = cells_of(image.bins, occluder.corners().box()).rows;
  for (int32_t first = 0; first < rows; first += team.size) {
    walk_rows(p, image, effect, occluder, cells_in_row(image.bins, occluder.corners(), first + mine));
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
  // The two triangles may part like the legs of a V.
  handed_in.take_together([&](int32_t first, Team team) {
#pragma unroll
    for (int which = 0; which < 2; ++which) {
      const ListedTriangle<T> triangle = cell_at(first).triangle(which);
      if (ScreenBox<T> box; triangle.bound(box)) {
        walk_together(p, image, effect, triangle, team);
      }
    }
  });
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
