// Pixels to the normalised coordinates of grid_sample(align_corners=True) (docs/math.md#grid).
#pragma once

#include "common/macros.h"

namespace stn {

// u = scale * x - 1 with scale = 2 / (size - 1). An axis of one pixel has no such scale: 2 there, so that its
// centre maps to -1, which grid_sample reads as pixel 0 whatever the scale.
template <class T>
STN_HD T grid_scale(int64_t size) {
  return size > 1 ? T(2) / T(size - 1) : T(2);
}

template <class T>
STN_HD T grid_coordinate(T x, T scale) {
  return scale * x - T(1);
}

}  // namespace stn
