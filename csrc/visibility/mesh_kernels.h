// What kernels over meshes have in common: blocks dealt out to the images, listed faces, and patches of grid points in
// shared memory (for .cu files).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "common/block_sum.h"
#include "common/launch.h"
#include "common/vectors.h"
#include "visibility/visibility_math.h"

namespace stn {

// The image of this block, and its part of it, in a launch of `parts` blocks an image.
struct ImagePart {
  int64_t b, part;
};

__device__ __forceinline__ ImagePart image_part(uint32_t parts) {
  return {blockIdx.x / parts, blockIdx.x % parts};
}

// `parts` blocks for each of B images.
template <class... Parameters, class... Arguments>
void launch_parts(
    CudaStream stream, int64_t B, int64_t parts, void (*kernel)(Parameters...), Arguments&&... arguments) {
  require_blocks(parts, "visibility");  // and so fits the kernel's parameter
  launch("visibility", stream, B * parts, kernel, std::forward<Arguments>(arguments)...);
}

// Loads a listed face; false if an index names no vertex.
template <class Index>
__device__ __forceinline__ bool load_face(const Index* indices, int64_t N, Face& face) {
  const int64_t i = indices[0], j = indices[1], k = indices[2];
  face = {static_cast<int32_t>(i), static_cast<int32_t>(j), static_cast<int32_t>(k)};
  return i >= 0 && i < N && j >= 0 && j < N && k >= 0 && k < N;
}

// A block's patch of the grid.
constexpr int kPatchRows = 8, kPatchColumns = kThreads / kPatchRows;

// The image of this block, and where its patch begins, `across` patches making a row of them.
struct GridPart {
  int64_t b, row, column;
};

__device__ __forceinline__ GridPart grid_part(uint32_t parts, uint32_t across) {
  const uint32_t part = blockIdx.x % parts;
  return {blockIdx.x / parts, int64_t{kPatchRows} * (part / across), int64_t{kPatchColumns} * (part % across)};
}

// Rows x Columns points from (row, column) on, x, y and depth in turn: 12 bytes a point from memory, whole lines, and
// every step of 3 through shared memory is free of bank conflicts. 0 outside the grid.
template <class T, int Rows, int Columns>
struct PointPatch {
  T values[Rows][3 * Columns];

  // To be called by all threads, with a barrier before the first use. `points` (P, Q, 3).
  __device__ __forceinline__ void load(const T* points, int64_t P, int64_t Q, int64_t row, int64_t column) {
    for (int i = threadIdx.x / kWarp; i < Rows; i += kThreads / kWarp) {
      const bool inside = row + i >= 0 && row + i < P;
      const int64_t begin = 3 * (row + i) * Q;
#pragma unroll
      for (int j = threadIdx.x % kWarp; j < 3 * Columns; j += kWarp) {
        const int64_t place = 3 * column + j;
        values[i][j] = inside && place >= 0 && place < 3 * Q ? points[begin + place] : T(0);
      }
    }
  }

  // The point of index r Columns + c: the patch is a grid of `Columns` columns itself.
  __device__ __forceinline__ Vec3<T> at(int index) const {
    return load3(&values[0][0] + 3 * index);
  }
};

}  // namespace stn
