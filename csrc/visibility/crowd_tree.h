// A crowd's candidates lie along a curve (crowds_cuda.cu), with a box around every 32 of them, around every 32 such
// boxes and so on (for .cu files). A warp that looks for the candidates in a box opens 32 at a time.
#pragma once

#include "visibility/screen_bins.h"

namespace stn {

// What one warp looks at in a step.
constexpr int kCrowdBits = 5;

// Height 1 is that of the boxes around candidates, which themselves have height 0.
template <class T>
class CrowdTree {
 public:
  // A crowd's room is its candidates' share of all, which is enough for more than kCrowd of them: the boxes of height
  // 1, behind them those of height 2 and so on.
  __device__ __forceinline__ CrowdTree(const ScreenBins<T>& bins, const ImageBins<T>& image, Run candidates)
      : candidates_(candidates), boxes_(bins.crowds.boxes),
        room_((image.sorted + candidates.begin - bins.sorted + kCrowdBoxRoom - 1) / kCrowdBoxRoom) {
  }

  __device__ __forceinline__ int32_t count(int height) const {
    return ((candidates_.count - 1) >> kCrowdBits * height) + 1;
  }

  __device__ __forceinline__ CrowdBox<T>* boxes(int height) const {
    uint32_t place = room_;
    for (int below = 1; below < height; ++below) {
      place += count(below);
    }
    return boxes_ + place;
  }

  // The least height of which a warp can look at all boxes at once.
  __device__ __forceinline__ int top() const {
    int height = 1;
    while (count(height) > kWarp) {
      ++height;
    }
    return height;
  }

  // One warp's walk: f(place in `sorted`) for every candidate of each box of height 1 that touches what is wanted.
  template <class F>
  __device__ __forceinline__ void walk(const ScreenBox<T>& wanted, const F& f) const {
    const int lane = threadIdx.x % kWarp;
    int height = top();
    int32_t group = 0;     // 32 of that height
    unsigned waiting = 0;  // of lane h: the boxes of height h that are to be opened
    while (true) {
      const int32_t i = kWarp * group + lane;
      const bool exists = i < count(height);
      if (height > 0) {
        const unsigned touched = __ballot_sync(kWholeWarp, exists && wanted.touches(boxes(height)[i]));
        waiting = lane == height ? touched : waiting;
      } else if (exists) {
        f(candidates_.begin + i);
      }
      unsigned next = __shfl_sync(kWholeWarp, waiting, height);
      for (; next == 0; next = __shfl_sync(kWholeWarp, waiting, height)) {
        if (height > 0 && count(height) <= kWarp) {
          return;
        }
        ++height;
        group /= kWarp;
      }
      waiting &= lane == height ? waiting - 1 : waiting;
      group = kWarp * group + __ffs(next) - 1;
      --height;
    }
  }

 private:
  Run candidates_;
  CrowdBox<T>* boxes_;
  uint32_t room_;
};

}  // namespace stn
