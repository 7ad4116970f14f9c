// The cells of each image's screen and the candidates in their order. Nothing here decides the result: cells only
// bound where the hiding stage looks, so the order of the rows and of a cell's candidates, which atomics settle, is
// free. In float32 the sort moves 8 bytes a cell and 16 + 16 bytes a vertex, 110 MB of 224 x 224 vertices in 64 images.
#include "visibility/visibility_cuda.h"

#include <cmath>

#include "common/block_sum.h"
#include "common/launch.h"
#include "visibility/mesh_kernels.h"
#include "visibility/screen_bins.h"

namespace stn {
namespace {

constexpr int kSample = kThreads;  // vertices that place an image's cells

// Vertex i of the sample: one from each of kSample equal shares of the mesh, by the golden ratio's multiples, so that
// no column of a grid is preferred.
__device__ __forceinline__ int64_t sampled_vertex(int i, int64_t N) {
  if (N <= kSample) {
    return i;
  }
  const int64_t begin = i * N / kSample, count = (i + 1) * N / kSample - begin;
  const uint32_t fraction = static_cast<uint32_t>(i + 1) * 2654435769u;
  return begin + static_cast<int64_t>((static_cast<uint64_t>(fraction) * static_cast<uint64_t>(count)) >> 32);
}

// What a sorted sample says of an axis.
template <class T>
struct SampleBounds {
  T low, first, last, high;  // its smallest, the ends of its middle 90 %, its largest
};

// Finds this thread's rank among the `count` values of a sample, those that are not finite being infinite, and writes
// its value down if it is one of the bounds. Returns how many are finite.
template <class T>
__device__ __forceinline__ int rank_sample(const T (&sample)[kSample], int count, SampleBounds<T>& bounds) {
  const T nowhere = static_cast<T>(HUGE_VAL);
  const int i = threadIdx.x;
  const T mine = sample[i];
  int finite = 0, rank = 0;
  for (int j = 0; j < count; ++j) {
    const T other = sample[j];
    finite += other < nowhere ? 1 : 0;
    rank += other < mine || (other == mine && j < i) ? 1 : 0;
  }
  const int tail = finite / 20;
  if (rank == 0) {
    bounds.low = mine;
  }
  if (rank == tail) {
    bounds.first = mine;
  }
  if (rank == finite - 1 - tail) {
    bounds.last = mine;
  }
  if (rank == finite - 1) {
    bounds.high = mine;
  }
  return finite;
}

template <class T>
__device__ __forceinline__ ScreenAxis<T> place_axis(SampleBounds<T> bounds, int32_t cells) {
  clip_to_middle(bounds.first, bounds.last, bounds.low, bounds.high);
  return {bounds.low, cells_per_pixel<T>(cells, screen_extent(bounds.low, bounds.high))};
}

// One block an image: its cells span the sampled vertices, whichever way they face; a vertex beyond them, one in a
// hundred or so, falls into an outermost cell. The same vertices give the same cells, so runs take the same time.
template <class T>
__global__ void place_kernel(VisibilityParams<T> p) {
  __shared__ T sample[2][kSample];
  __shared__ SampleBounds<T> bounds[2];
  const T nowhere = static_cast<T>(HUGE_VAL);
  const int64_t n = sampled_vertex(threadIdx.x, p.N);
  Vec3<T> point = {nowhere, nowhere, nowhere};
  if (n < p.N) {
    point = load3(p.points + 3 * (blockIdx.x * p.N + n));
  }
  const bool finite = is_finite(point);
  sample[0][threadIdx.x] = finite ? point.x : nowhere;
  sample[1][threadIdx.x] = finite ? point.y : nowhere;
  __syncthreads();
  const int count = p.N < kSample ? static_cast<int>(p.N) : kSample;
  const int found = rank_sample(sample[0], count, bounds[0]);
  rank_sample(sample[1], count, bounds[1]);
  __syncthreads();
  if (threadIdx.x == 0) {
    p.bins.claimed[blockIdx.x] = 0;
    if (blockIdx.x == 0) {
      *p.bins.crowds.count = 0;
    }
  }
  if (threadIdx.x < 2) {
    p.bins.axes[2 * blockIdx.x + threadIdx.x] =
        found > 0 ? place_axis(bounds[threadIdx.x], p.bins.side) : ScreenAxis<T>{T(0), T(0)};
  }
}

// One warp a row of cells: claims a place for the row's candidates, behind whichever rows came first, and replaces each
// cell's count by where it begins. No row waits for another. Cells of too many candidates are written down.
template <class T>
__global__ void claim_kernel(ScreenBins<T> bins, int64_t rows) {
  const int64_t row = thread_index() / kWarp;
  const int lane = threadIdx.x % kWarp;
  if (row >= rows) {
    return;
  }
  int32_t* cells = bins.starts + row * (bins.side + 1);
  int32_t total = 0;
  for (int32_t c = lane; c < bins.side; c += kWarp) {
    total += cells[c];
  }
  total = warp_sum(total);
  int32_t start = 0;
  if (lane == 0) {
    start = atomicAdd(&bins.claimed[row / bins.side], total);
  }
  start = __shfl_sync(kWholeWarp, start, 0);
  for (int32_t first = 0; first < bins.side; first += kWarp) {
    const int32_t c = first + lane, count = c < bins.side ? cells[c] : 0;
    const int32_t through = warp_running_sum(count);
    if (c < bins.side) {
      cells[c] = start + through - count;
    }
    if (count > kCrowd) {
      bins.crowds.cells[atomicAdd(bins.crowds.count, 1)] = row * (bins.side + 1) + c;
    }
    start += __shfl_sync(kWholeWarp, through, kWarp - 1);
  }
  if (lane == 0) {
    cells[bins.side] = start;
  }
}

// One thread a vertex: 12 + 4 bytes read, a cell's beginning gathered, 16 bytes scattered, mostly next to those of the
// neighbouring threads.
template <class T>
__global__ void scatter_kernel(VisibilityParams<T> p, uint32_t parts) {
  const ImagePart place = image_part(parts);
  const int64_t n = place.part * kThreads + threadIdx.x, i = place.b * p.N + n;
  if (n >= p.N || p.bins.ranks[i] < 0) {
    return;
  }
  const Vec3<T> point = load3(p.points + 3 * i);
  const ImageBins<T> bins(p.bins, place.b, p.N);
  bins.sorted[bins.starts[bins.place(point)] + p.bins.ranks[i]] = {point.x, point.y, point.z, static_cast<int32_t>(n)};
}

}  // namespace

template <class T>
void launch_place(const VisibilityParams<T>& params, CudaStream stream) {
  const int64_t side = params.bins.side, cells = params.B * side * (side + 1);
  fill_zero("visibility", stream, params.bins.starts, cells * static_cast<int64_t>(sizeof(int32_t)));
  launch("visibility", stream, params.B, place_kernel<T>, params);
}

template <class T>
void launch_sort(const VisibilityParams<T>& params, CudaStream stream) {
  const int64_t rows = params.B * params.bins.side, parts = ceil_divide(params.N, kThreads);
  launch_each("visibility", stream, rows * kWarp, claim_kernel<T>, params.bins, rows);
  launch_parts(stream, params.B, parts, scatter_kernel<T>, params, parts);
}

template void launch_place(const VisibilityParams<float>&, CudaStream);
template void launch_place(const VisibilityParams<double>&, CudaStream);
template void launch_sort(const VisibilityParams<float>&, CudaStream);
template void launch_sort(const VisibilityParams<double>&, CudaStream);

}  // namespace stn
