// docs/math.md#points. A block takes a chunk of one image's vertices, its threads every kThreads-th of them.
// Moves 6 values a vertex forward and 9 backward, and 12 doubles a chunk for the sums. Deterministic: a thread adds
// its vertices in order, then the warp's lanes, the block's warps and (project_pose_kernel) the image's chunks are
// added in a fixed order, in double from the warps on.
#include "common/launch.h"
#include "common/sum_parts.h"
#include "common/warp_sums.h"
#include "project/project_cuda.h"

namespace stn {
namespace {

constexpr int kProjectWarps = kThreads / kWarp;
constexpr int kPoseThreads = 128;  // 16 columns, hence 8 threads for each of the 12 sums

template <class T>
__global__ void __launch_bounds__(kThreads) project_kernel(ProjectParams<T> p) {
  const int64_t b = blockIdx.x / p.chunks, chunk = blockIdx.x % p.chunks;
  const Mat3<T> R = load_matrix(p.rotation + 9 * b);
  const Vec2<T> t = {p.translation[2 * b], p.translation[2 * b + 1]};
  const T s = p.scale[b];
#pragma unroll
  for (int64_t i = 0; i < kProjectChunk; i += kThreads) {
    const int64_t n = chunk * kProjectChunk + i + threadIdx.x;
    if (n < p.N) {
      const int64_t at = 3 * (b * p.N + n);
      store3(p.points + at, project_vertex(R, s, t, load3(p.vertices + at)));
    }
  }
}

// The block's sums of `terms` -> out[kPoseSums].
template <class T>
__device__ __forceinline__ void store_block_sums(T (&terms)[16], double* out) {
  __shared__ T warps[kProjectWarps][16];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  warp_sums(terms);
  if (lane % 2 == 0) {
    warps[warp][summed_value<16>(lane)] = terms[0];
  }
  __syncthreads();
  if (threadIdx.x < kPoseSums) {
    double sum = 0;
    for (int i = 0; i < kProjectWarps; ++i) {
      sum += static_cast<double>(warps[i][threadIdx.x]);
    }
    out[threadIdx.x] = sum;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) project_backward_kernel(ProjectBackwardParams<T> p) {
  const int64_t b = blockIdx.x / p.chunks, chunk = blockIdx.x % p.chunks;
  const Mat3<T> R = load_matrix(p.rotation + 9 * b);
  const T s = p.scale[b];
  T terms[16] = {};  // kPoseSums, and zeros up to a power of two
#pragma unroll
  for (int64_t i = 0; i < kProjectChunk; i += kThreads) {
    const int64_t n = chunk * kProjectChunk + i + threadIdx.x;
    if (n < p.N) {
      const int64_t at = 3 * (b * p.N + n);
      const Vec3<T> g = load3(p.grad_points + at), X = load3(p.vertices + at);
      store3(p.grad_vertices + at, project_vertex_vjp(R, s, y_up(g)));
      add_pose_terms(R, g, X, terms);
    }
  }
  store_block_sums(terms, p.parts + (chunk * p.B + b) * kPoseSums);
}

// A block an image: its chunks' sums -> the gradient to its pose.
template <class T>
__global__ void __launch_bounds__(kPoseThreads) project_pose_kernel(ProjectBackwardParams<T> p) {
  const int64_t b = blockIdx.x;
  const PartsParams<double> parts = {p.parts, p.chunks, p.B, kPoseSums};
  block_sums_of_parts<kPoseThreads>(parts, b, 0, kPoseSums, [&](int64_t column, double sum) {
    store_pose_gradient(p.grad_pose, b, column, sum, p.scale[b]);
  });
}

}  // namespace

template <class T>
void launch_project(const ProjectParams<T>& params, CudaStream stream) {
  launch("project", stream, params.B * params.chunks, project_kernel<T>, params);
}

template <class T>
void launch_project_backward(const ProjectBackwardParams<T>& params, CudaStream stream) {
  launch("project_backward", stream, params.B * params.chunks, project_backward_kernel<T>, params);
  launch<kPoseThreads>("project_backward", stream, params.B, project_pose_kernel<T>, params);
}

template void launch_project(const ProjectParams<float>&, CudaStream);
template void launch_project(const ProjectParams<double>&, CudaStream);
template void launch_project_backward(const ProjectBackwardParams<float>&, CudaStream);
template void launch_project_backward(const ProjectBackwardParams<double>&, CudaStream);

}  // namespace stn
