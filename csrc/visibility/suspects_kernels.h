// The search for candidates in shadows (once for each instruction set: common/each_instruction_set.h): run by run of
// the cells that a shadow touches, several candidates at a time; where it is long, of those that its triangle does.
#include "visibility/shadow_lanes_kernels.h"

namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

// What lanes read beyond the run does not count.
template <class T>
inline void search_run(
    const SortedVertices<T>& vertices, const ShadowLanes<T>& lanes, int32_t which, int32_t begin, int32_t end,
    Suspects& suspects) {
  constexpr int32_t width = ShadowLanes<T>::kWidth;
  static_assert(width <= Suspects::kMostAtOnce && width <= Candidates<T>::kPadding, "one find is one register");
  for (int32_t place = begin; place < end; place += width) {
    const int32_t many = end - place < width ? end - place : width;
    uint32_t held = lanes.hold(vertices, place) & ((uint32_t{1} << many) - 1);
    if (held != 0) {
      suspects.make_room();
    }
    for (; held != 0; held &= held - 1) {
      suspects.add(which, place + __builtin_ctz(held));
    }
  }
}

// The same from block to block: into the boxes that the shadow touches, past the others.
template <class T>
__attribute__((noinline)) void search_long_run(
    const SortedVertices<T>& vertices, const Shadow<T>& shadow, int32_t which, int32_t begin, int32_t end,
    Suspects& suspects) {
  const ShadowLanes<T> lanes(shadow);
  while (begin < end) {
    const int32_t next = (begin | (block_size(0) - 1)) + 1, after = next < end ? next : end;
    int level = 0;  // how many of the blocks that begin here end in time
    while (level < vertices.levels && begin % block_size(level) == 0 && block_size(level) <= end - begin) {
      ++level;
    }
    while (level > 0 && vertices.boxes[level - 1][begin / block_size(level - 1)].touches(shadow)) {
      --level;
    }
    if (level == 0) {
      search_run(vertices, lanes, which, begin, after, suspects);
    }
    begin = level == 0 ? after : begin + block_size(level - 1);
  }
}

constexpr int32_t kLongRun = 256;  // candidates; shorter ones are searched without asking for their boxes

template <class T>
inline void search_row(
    const SortedVertices<T>& vertices, const ShadowLanes<T>& lanes, const Shadow<T>& shadow, int32_t which,
    int32_t begin, int32_t end, Suspects& suspects) {
  if (end - begin <= kLongRun) {
    search_run(vertices, lanes, which, begin, end, suspects);
  } else {
    search_long_run(vertices, shadow, which, begin, end, suspects);
  }
}

// A shadow of so many rows and columns is searched along its triangle, not in all of its box.
constexpr int32_t kLongSide = 4, kLongArea = 64;  // cells

template <class T>
__attribute__((noinline)) void search_along(
    const SortedVertices<T>& vertices, const Screen<T>& screen, const Shadow<T>& shadow, int32_t which,
    Suspects& suspects) {
  const ShadowLanes<T> lanes(shadow);
  const Face face = shadow.face;
  const CrossSections<T> sections(
      screen.corner(face.i), screen.corner(face.j), screen.corner(face.k), screen.cells.vertical, screen.cells.rows);
  for (int32_t row = shadow.cells[1]; row <= shadow.cells[3]; ++row) {
    const ColumnRange columns =
        sections.columns(row, screen.cells.horizontal, screen.cells.columns, {shadow.cells[0], shadow.cells[2]});
    if (columns.first <= columns.last) {
      const int32_t* start = vertices.starts + static_cast<int64_t>(row) * screen.cells.columns;
      search_row(vertices, lanes, shadow, which, start[columns.first], start[columns.last + 1], suspects);
    }
  }
}

}  // namespace

// Adds the candidates in each of `count` shadows that are no corners of its face.
template <class T>
void find_suspects(
    const SortedVertices<T>& sorted, const Screen<T>& screen, const Shadow<T>* shadows, int32_t count,
    Suspects& suspects) {
  const SortedVertices<T> vertices = sorted;  // which `suspects` cannot change
  for (int32_t which = 0; which < count; ++which) {
    const Shadow<T>& shadow = shadows[which];
    const int32_t columns = shadow.cells[2] + 1 - shadow.cells[0];
    const int64_t rows = shadow.cells[3] + 1 - shadow.cells[1];
    if (rows >= kLongSide && columns >= kLongSide && rows * columns >= kLongArea) {
      search_along(vertices, screen, shadow, which, suspects);
      continue;
    }
    const ShadowLanes<T> lanes(shadow);
    const int32_t* start = vertices.starts + static_cast<int64_t>(shadow.cells[1]) * vertices.columns + shadow.cells[0];
    for (int64_t row = 0; row < rows; ++row, start += vertices.columns) {
      search_row(vertices, lanes, shadow, which, start[0], start[columns], suspects);
    }
  }
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
