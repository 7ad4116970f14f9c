// Candidates that lie in the shadow of a triangle, for the exact test to judge.
#pragma once

#include <cstdint>

#include "common/macros.h"

namespace stn {

struct Suspect {
  int32_t shadow, place;  // which shadow of those that were searched; the candidate's place in the order
};

// Filled by a search, and settled, that is judged and emptied, whenever it could be too full for the next find.
class Suspects {
 public:
  static constexpr int32_t kMostAtOnce = 16;

  STN_HD void add(int32_t shadow, int32_t place) {
    list_[count_++] = {shadow, place};
  }

  STN_HD void make_room() {
    if (count_ > kRoom - kMostAtOnce) {
      settle();
    }
  }

  virtual void settle() = 0;

 protected:
  ~Suspects() = default;

  static constexpr int32_t kRoom = 512;
  Suspect list_[kRoom];
  int32_t count_ = 0;
};

}  // namespace stn
