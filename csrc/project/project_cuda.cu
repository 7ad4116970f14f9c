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
constexpr int kOwnVertices = kProjectChunk / kThreads;

// A thread's vertices of its block's chunk.
struct OwnVertices {
  int64_t b, first, N;

  __device__ __forceinline__ OwnVertices(unsigned block, unsigned chunks, int64_t N_in)
      : b(block / chunks), first(block % chunks * kProjectChunk + threadIdx.x), N(N_in) {
  }

  // f(i, index of the i-th one's first coordinate) for those that exist.
  template <class F>
  __device__ __forceinline__ void for_each(const F& f) const {
#pragma unroll
    for (int i = 0; i < kOwnVertices; ++i) {
      if (first + i * kThreads < N) {
        f(i, 3 * (b * N + first + i * kThreads));
      }
    }
  }

  // All of them before any is used, so that the reads overlap.
  template <class T>
  __device__ __forceinline__ void load(const T* from, Vec3<T> (&to)[kOwnVertices]) const {
    for_each([&](int i, int64_t at) { to[i] = load3(from + at); });
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads) project_kernel(ProjectParams<T> p, unsigned chunks) {
  const OwnVertices own(blockIdx.x, chunks, p.N);
  Vec3<T> X[kOwnVertices];
  own.load(p.vertices, X);
  const Mat3<T> R = load_matrix(p.rotation + 9 * own.b);
  const Vec2<T> t = {p.translation[2 * own.b], p.translation[2 * own.b + 1]};
  const T s = p.scale[own.b];
  own.for_each([&](int i, int64_t at) { store3(p.points + at, project_vertex(R, s, t, X[i])); });
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
__global__ void __launch_bounds__(kThreads) project_backward_kernel(ProjectBackwardParams<T> p, unsigned chunks) {
  const OwnVertices own(blockIdx.x, chunks, p.N);
  Vec3<T> g[kOwnVertices], X[kOwnVertices];
  own.load(p.grad_points, g);
  own.load(p.vertices, X);
  const Mat3<T> R = load_matrix(p.rotation + 9 * own.b);
  const T s = p.scale[own.b];
  T terms[16] = {};  // kPoseSums, and zeros up to a power of two
  own.for_each([&](int i, int64_t at) {
    store3(p.grad_vertices + at, project_vertex_vjp(R, s, y_up(g[i])));
    add_pose_terms(R, g[i], X[i], terms);
  });
  store_block_sums(terms, p.parts + (blockIdx.x % chunks * p.B + own.b) * kPoseSums);
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
  const auto chunks = static_cast<unsigned>(params.chunks);
  launch("project", stream, params.B * params.chunks, project_kernel<T>, params, chunks);
}

template <class T>
void launch_project_backward(const ProjectBackwardParams<T>& params, CudaStream stream) {
  const auto chunks = static_cast<unsigned>(params.chunks);
  launch("project_backward", stream, params.B * params.chunks, project_backward_kernel<T>, params, chunks);
  launch<kPoseThreads>("project_backward", stream, params.B, project_pose_kernel<T>, params);
}

template void launch_project(const ProjectParams<float>&, CudaStream);
template void launch_project(const ProjectParams<double>&, CudaStream);
template void launch_project_backward(const ProjectBackwardParams<float>&, CudaStream);
template void launch_project_backward(const ProjectBackwardParams<double>&, CudaStream);

}  // namespace stn
