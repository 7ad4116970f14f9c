// Barriers, and the collectives of a warp: the only places where a fibre waits for others.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace emulator {

constexpr unsigned kWarpSize = 32;

// Which collective, and where in the source it stands: threads that should meet must name the same one.
struct Place {
  const char* what;
  const char* file;
  int line;
};

// What the lanes of a warp brought to a collective.
struct Lanes {
  uint64_t bits[kWarpSize];
  unsigned members;  // the lanes that took part
  unsigned lane;     // the caller's
};

// What a block brought to a barrier: threads, and those among them whose predicate held.
struct Votes {
  int threads, ayes;
};

// Wait for the other threads of the block, or for the lanes in `mask`; throw where the device would hang or give an
// undefined result (runtime/block.cpp).
Votes meet_block(Place place, bool predicate);
const Lanes& meet_lanes(Place place, unsigned mask, uint64_t bits);
// Throws: this lane reads the value of one that took no part.
[[noreturn]] void read_of_absent_lane(Place place, unsigned lane);

template <class T>
uint64_t to_bits(T value) {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= sizeof(uint64_t), "warps exchange numbers of up to 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <class T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// The value of lane source(lane), or the caller's own where that lies outside its group of `width` lanes.
template <class T, class Source>
T shuffle(Place place, unsigned mask, T value, int width, Source source) {
  const Lanes& lanes = meet_lanes(place, mask, to_bits(value));
  const int lane = static_cast<int>(lanes.lane), first = lane / width * width;
  const int from = source(lane, first);
  if (from < first || from >= first + width) {
    return value;
  }
  if (!(lanes.members >> from & 1)) {
    read_of_absent_lane(place, static_cast<unsigned>(from));
  }
  return from_bits<T>(lanes.bits[from]);
}

// The lanes that hold the bits b with matches(b).
template <class Matches>
unsigned lanes_where(const Lanes& lanes, Matches matches) {
  unsigned found = 0;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if ((lanes.members >> lane & 1) && matches(lanes.bits[lane])) {
      found |= 1u << lane;
    }
  }
  return found;
}

// The combination of all lanes' values: of integers, so that the order is of no account.
template <class T, class Combine>
T reduce(Place place, unsigned mask, T value, Combine combine) {
  const Lanes& lanes = meet_lanes(place, mask, to_bits(value));
  T all = value;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (lane != lanes.lane && (lanes.members >> lane & 1)) {
      all = combine(all, from_bits<T>(lanes.bits[lane]));
    }
  }
  return all;
}

}  // namespace emulator

// The default arguments are the caller's file and line.
#define EMULATOR_CALLER const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(EMULATOR_CALLER) {
  emulator::meet_block({"__syncthreads", file, line}, false);
}

inline int __syncthreads_count(int predicate, EMULATOR_CALLER) {
  return emulator::meet_block({"__syncthreads_count", file, line}, predicate != 0).ayes;
}

inline int __syncthreads_or(int predicate, EMULATOR_CALLER) {
  return emulator::meet_block({"__syncthreads_or", file, line}, predicate != 0).ayes > 0;
}

inline int __syncthreads_and(int predicate, EMULATOR_CALLER) {
  const emulator::Votes votes = emulator::meet_block({"__syncthreads_and", file, line}, predicate != 0);
  return votes.ayes == votes.threads;
}

// The only one of a warp's collectives that orders memory.
inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATOR_CALLER) {
  emulator::meet_lanes({"__syncwarp", file, line}, mask, 0);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize, EMULATOR_CALLER) {
  return emulator::shuffle(
      {"__shfl_sync", file, line}, mask, value, width, [=](int, int first) { return first + (source & (width - 1)); });
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, EMULATOR_CALLER) {
  return emulator::shuffle({"__shfl_up_sync", file, line}, mask, value, width, [=](int lane, int) {
    return lane - static_cast<int>(delta);
  });
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, EMULATOR_CALLER) {
  return emulator::shuffle({"__shfl_down_sync", file, line}, mask, value, width, [=](int lane, int) {
    return lane + static_cast<int>(delta);
  });
}

// The one shuffle that reads across groups: from those before the caller's.
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize, EMULATOR_CALLER) {
  return emulator::shuffle({"__shfl_xor_sync", file, line}, mask, value, warpSize, [=](int lane, int) {
    const int from = lane ^ lane_mask;
    return from < (lane / width + 1) * width ? from : lane;
  });
}

namespace emulator {

inline bool is_true(uint64_t bits) {
  return bits != 0;
}

}  // namespace emulator

inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATOR_CALLER) {
  const emulator::Place place = {"__ballot_sync", file, line};
  return emulator::lanes_where(emulator::meet_lanes(place, mask, predicate != 0), emulator::is_true);
}

inline int __any_sync(unsigned mask, int predicate, EMULATOR_CALLER) {
  const emulator::Place place = {"__any_sync", file, line};
  return emulator::lanes_where(emulator::meet_lanes(place, mask, predicate != 0), emulator::is_true) != 0;
}

inline int __all_sync(unsigned mask, int predicate, EMULATOR_CALLER) {
  const emulator::Lanes& lanes = emulator::meet_lanes({"__all_sync", file, line}, mask, predicate != 0);
  return emulator::lanes_where(lanes, emulator::is_true) == lanes.members;
}

// The lanes whose value is the caller's.
template <class T>
unsigned __match_any_sync(unsigned mask, T value, EMULATOR_CALLER) {
  const uint64_t mine = emulator::to_bits(value);
  const emulator::Lanes& lanes = emulator::meet_lanes({"__match_any_sync", file, line}, mask, mine);
  return emulator::lanes_where(lanes, [mine](uint64_t bits) { return bits == mine; });
}

#define EMULATOR_REDUCTION(NAME, TYPE, RESULT)                                                                \
  inline TYPE NAME(unsigned mask, TYPE value, EMULATOR_CALLER) {                                              \
    return emulator::reduce({#NAME, file, line}, mask, value, [](TYPE a, TYPE b) -> TYPE { return RESULT; }); \
  }
EMULATOR_REDUCTION(__reduce_add_sync, unsigned, a + b)
EMULATOR_REDUCTION(__reduce_add_sync, int, static_cast<int>(static_cast<unsigned>(a) + static_cast<unsigned>(b)))
EMULATOR_REDUCTION(__reduce_min_sync, unsigned, a < b ? a : b)
EMULATOR_REDUCTION(__reduce_min_sync, int, a < b ? a : b)
EMULATOR_REDUCTION(__reduce_max_sync, unsigned, a > b ? a : b)
EMULATOR_REDUCTION(__reduce_max_sync, int, a > b ? a : b)
EMULATOR_REDUCTION(__reduce_and_sync, unsigned, (a & b))
EMULATOR_REDUCTION(__reduce_or_sync, unsigned, (a | b))
EMULATOR_REDUCTION(__reduce_xor_sync, unsigned, (a ^ b))
#undef EMULATOR_REDUCTION
#undef EMULATOR_CALLER

// Fibres switch only at the collectives above, so memory is never out of order. The race detector takes no fence as an
// ordering either.
inline void __threadfence() {
}
inline void __threadfence_block() {
}
inline void __threadfence_system() {
}
