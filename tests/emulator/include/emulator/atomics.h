// Atomic operations. Fibres do not switch within one, so plain code is atomic; the race detector is told of each.
#pragma once

#include <type_traits>

namespace emulator {

// Tells the race detector, if the kernels are built for it.
void announce_atomic(const void* address, unsigned size, const void* return_address);

// *address = next(*address); returns what was there. The access itself is not instrumented as a plain one.
template <class T, class Next>
__attribute__((noinline, no_sanitize("thread"))) T atomically(T* address, Next next) {
  announce_atomic(address, sizeof(T), __builtin_return_address(0));
  const T old = *address;
  *address = next(old);
  return old;
}

// T where it is among the types that the device has the operation for.
template <class T, class... Types>
using OneOf = std::enable_if_t<(std::is_same_v<T, Types> || ...), T>;

// A parameter that takes part in no deduction: atomicAdd(float*, int) converts, as on the device.
template <class T>
struct Identity {
  using type = T;
};
template <class T>
using Plain = typename Identity<T>::type;

// In two's complement without undefined behaviour, as the device counts.
template <class T>
T sum(T a, T b) {
  if constexpr (std::is_same_v<T, int>) {
    return static_cast<int>(static_cast<unsigned>(a) + static_cast<unsigned>(b));
  } else {
    return a + b;
  }
}

using Unsigned64 = unsigned long long;

}  // namespace emulator

#define EMULATOR_ATOMIC(NAME, NEXT, ...)                                                         \
  template <class T>                                                                             \
  __forceinline__ emulator::OneOf<T, __VA_ARGS__> NAME(T* address, emulator::Plain<T> value) {   \
    return emulator::atomically(address, [value]([[maybe_unused]] T old) -> T { return NEXT; }); \
  }
EMULATOR_ATOMIC(atomicAdd, emulator::sum(old, value), int, unsigned, emulator::Unsigned64, float, double)
EMULATOR_ATOMIC(atomicMax, old < value ? value : old, int, unsigned, long long, emulator::Unsigned64)
EMULATOR_ATOMIC(atomicMin, value < old ? value : old, int, unsigned, long long, emulator::Unsigned64)
EMULATOR_ATOMIC(atomicExch, value, int, unsigned, emulator::Unsigned64, float)
EMULATOR_ATOMIC(atomicAnd, (old & value), int, unsigned, emulator::Unsigned64)
EMULATOR_ATOMIC(atomicOr, (old | value), int, unsigned, emulator::Unsigned64)
EMULATOR_ATOMIC(atomicXor, (old ^ value), int, unsigned, emulator::Unsigned64)
EMULATOR_ATOMIC(atomicInc, old >= value ? 0u : old + 1, unsigned)
#undef EMULATOR_ATOMIC

template <class T>
__forceinline__ emulator::OneOf<T, int, unsigned> atomicSub(T* address, emulator::Plain<T> value) {
  return atomicAdd(address, static_cast<T>(0u - static_cast<unsigned>(value)));
}

template <class T>
__forceinline__ emulator::OneOf<T, int, unsigned, unsigned short, emulator::Unsigned64> atomicCAS(
    T* address, emulator::Plain<T> expected, emulator::Plain<T> value) {
  return emulator::atomically(address, [=](T old) { return old == expected ? value : old; });
}
