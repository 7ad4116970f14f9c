// In which order the blocks of a launch run, and the threads that could go on next.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace emulator {

class Order {
 public:
  enum Kind { forward, reverse, shuffled };

  Order(Kind kind, uint64_t seed) : kind_(kind), state_(seed) {
  }

  void arrange(std::vector<unsigned>& numbers) {
    if (kind_ == reverse) {
      std::reverse(numbers.begin(), numbers.end());
    } else if (kind_ == shuffled) {
      for (size_t i = numbers.size(); i > 1; --i) {
        std::swap(numbers[i - 1], numbers[random() % i]);
      }
    }
  }

 private:
  // SplitMix64: the same numbers with every standard library.
  uint64_t random() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  Kind kind_;
  uint64_t state_;
};

}  // namespace emulator
