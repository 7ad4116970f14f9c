// The search for candidates in shadows (once for each instruction set: common/each_instruction_set.h): run by run of
// the cells that a shadow touches, several candidates at a time.
#include "visibility/shadow_lanes_kernels.h"

namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

// What lanes read beyond the run does not count: another part's, whose depths may change meanwhile, or padding.
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

}  // namespace

// Adds the part's candidates in each of `count` shadows that are no corners of its face.
template <class T>
void find_suspects(
    const SortedVertices<T>& sorted, const BinPart& part, const Shadow<T>* shadows, int32_t count, Suspects& suspects) {
  const SortedVertices<T> vertices = sorted;  // which `suspects` cannot change
  const BinPart own = part;
  for (int32_t which = 0; which < count; ++which) {
    const Shadow<T>& shadow = shadows[which];
    const ShadowLanes<T> lanes(shadow);
    const int32_t last_row = shadow.cells[3] < own.rows.last ? shadow.cells[3] : own.rows.last;
    int32_t row = shadow.cells[1] > own.rows.first ? shadow.cells[1] : own.rows.first;
    const int32_t* start = vertices.starts + static_cast<int64_t>(row) * vertices.columns + shadow.cells[0];
    const int32_t columns = shadow.cells[2] + 1 - shadow.cells[0];
    for (; row <= last_row; ++row, start += vertices.columns) {
      const int32_t begin = start[0] > own.first ? start[0] : own.first;
      const int32_t end = start[columns] < own.last ? start[columns] : own.last;
      if (end - begin <= kLongRun) {
        search_run(vertices, lanes, which, begin, end, suspects);
      } else {
        search_long_run(vertices, shadow, which, begin, end, suspects);
      }
    }
  }
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
