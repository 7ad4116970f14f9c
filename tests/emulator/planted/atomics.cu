// Atomic operations: what four threads leave behind, and what the last of them to come saw.
#include "planted/launch_on.h"

namespace planted {
namespace {

// Each on an element of its own, with the numbers 1, 2, 3 and 4.
template <class T>
__global__ void sums(T* data) {
  atomicAdd(&data[0], static_cast<T>(threadIdx.x + 1));
}

template <class T>
__global__ void exchanges(T* data) {
  const T old = atomicExch(&data[0], static_cast<T>(threadIdx.x + 1));
  data[1 + threadIdx.x] = old;
}

template <class T>
__global__ void extrema(T* data) {
  const T value = static_cast<T>(static_cast<int>(threadIdx.x) - 2);  // -2 is the largest unsigned number but one
  atomicMax(&data[0], value);
  atomicMin(&data[1], value);
}

template <class T>
__global__ void bits(T* data) {
  const T bit = static_cast<T>(1) << threadIdx.x;
  atomicOr(&data[0], bit);
  atomicAnd(&data[1], ~bit);
  atomicXor(&data[2], bit);
}

// The way to build what the device lacks: a product.
template <class T>
__global__ void compare_and_swap(T* data) {
  T seen = data[1], assumed;
  do {
    assumed = seen;
    seen = atomicCAS(&data[0], assumed, static_cast<T>(assumed * static_cast<T>(threadIdx.x + 1)));
  } while (seen != assumed);
}

__global__ void subtract_and_wrap(unsigned* data) {
  atomicSub(&data[0], threadIdx.x + 1);
  atomicInc(&data[1], 2);
}

}  // namespace

Launches atomics() {
  return {
      {"sums_int", launch_on<4>(sums<int>)},
      {"sums_unsigned", launch_on<4>(sums<unsigned>)},
      {"sums_unsigned_long", launch_on<4>(sums<unsigned long long>)},
      {"sums_float", launch_on<4>(sums<float>)},
      {"sums_double", launch_on<4>(sums<double>)},
      {"exchanges_int", launch_on<4>(exchanges<int>)},
      {"exchanges_unsigned", launch_on<4>(exchanges<unsigned>)},
      {"exchanges_unsigned_long", launch_on<4>(exchanges<unsigned long long>)},
      {"exchanges_float", launch_on<4>(exchanges<float>)},
      {"extrema_int", launch_on<4>(extrema<int>)},
      {"extrema_unsigned", launch_on<4>(extrema<unsigned>)},
      {"extrema_long", launch_on<4>(extrema<long long>)},
      {"extrema_unsigned_long", launch_on<4>(extrema<unsigned long long>)},
      {"bits_int", launch_on<4>(bits<int>)},
      {"bits_unsigned", launch_on<4>(bits<unsigned>)},
      {"bits_unsigned_long", launch_on<4>(bits<unsigned long long>)},
      {"compare_and_swap_int", launch_on<4>(compare_and_swap<int>)},
      {"compare_and_swap_unsigned", launch_on<4>(compare_and_swap<unsigned>)},
      {"compare_and_swap_unsigned_long", launch_on<4>(compare_and_swap<unsigned long long>)},
      {"subtract_and_wrap", launch_on<4>(subtract_and_wrap)},
  };
}

}  // namespace planted
