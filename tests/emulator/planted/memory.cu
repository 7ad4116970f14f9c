// Shared memory, and indices outside it.
#include "planted/launch_on.h"

namespace planted {
namespace {

__global__ void uninitialised_shared(float* data) {
  __shared__ float values[64];
  data[threadIdx.x] = values[threadIdx.x];
  values[threadIdx.x] = 1;
}

// A template, since its static is another kind of symbol.
template <class T>
__global__ void uninitialised_shared_of(T* data) {
  __shared__ T values[64];
  data[threadIdx.x] = values[threadIdx.x];
  values[threadIdx.x] = 1;
}

// Each block leaves its number behind; none may see another's.
__global__ void shared_of_each_block(float* data) {
  __shared__ float number;
  float& result = data[blockIdx.x * 2 + threadIdx.x];
  if (threadIdx.x == 0) {
    result = number == 1 || number == 2 || number == 3 ? -1.0f : static_cast<float>(blockIdx.x);
    number = static_cast<float>(blockIdx.x) + 1;
  }
  __syncthreads();
  if (threadIdx.x == 1) {
    result = number;
  }
}

// Through a pointer, of which the compiler does not know how far it reaches.
__device__ __noinline__ void store(int* array, int i, int value) {
  array[i] = value;
}

__device__ __noinline__ int load(const int* array, int i) {
  return array[i];
}

// data[0] is 0; the twin differs by the size of its array only.
template <int Size>
__global__ void shared_index(int* data) {
  __shared__ int values[Size];
  __shared__ int others[64];
  others[threadIdx.x] = 1;
  store(values, data[0] + static_cast<int>(threadIdx.x), 2);
  __syncthreads();
  data[1 + threadIdx.x] = load(values, data[0] + static_cast<int>(threadIdx.x)) + others[threadIdx.x];
}

__global__ void local_index(int* data) {
  int values[8] = {};
  for (int i = 0; i < 8; ++i) {
    values[i] = data[1 + i];
  }
  __syncthreads();
  data[1] = load(values, data[0]);
}

__global__ void overflow(int* data) {
  data[0] = data[0] + data[1];
}

// data[0] is 0 or 1; a float4 or int4 begins at a multiple of 16 bytes.
__global__ void misaligned(int* data) {
  const int4 four = *reinterpret_cast<const int4*>(data + 4 + data[0]);
  data[1] = four.w;
}

}  // namespace

Launches memory() {
  return {
      {"uninitialised_shared", launch_on<64>(uninitialised_shared)},
      {"uninitialised_shared_double", launch_on<64>(uninitialised_shared_of<double>)},
      {"uninitialised_shared_int", launch_on<64>(uninitialised_shared_of<int>)},
      {"shared_of_each_block", launch_on<2>(shared_of_each_block)},
      {"shared_out_of_bounds", launch_on<64>(shared_index<63>)},
      {"shared_within_bounds", launch_on<64>(shared_index<64>)},
      {"local_index", launch_on<1>(local_index)},
      {"misaligned", launch_on<1>(misaligned)},
      {"overflow", launch_on<1>(overflow)},
  };
}

}  // namespace planted
