// The gradient to theta from the chunks' parts (warp_backward_cuda.cu) and the landmarks (docs/math.md#warp): an
// image's first block has its sums to the pose, each other one those to kTileModes modes. Landmarks are few and may
// name a vertex more than once. To the pose, a warp takes one landmark after another and its lanes share the modes of
// its shape; to alpha, a warp takes kModes modes and its lanes share the landmarks. All sums in double and in a fixed
// order. Reads the parts once and, for each landmark, its vertex of the basis twice.
#include "common/sum_parts.h"
#include "common/warp_sums.h"
#include "warp/warp_group.h"

namespace stn {
namespace {

constexpr int kTileModes = 32;
constexpr int kModes = kTileModes / kWarps;

// One landmark of one image: its vertex, or -1 for none, and the gradient to its point in the y-up frame.
template <class T>
struct LandmarkGradient {
  int64_t n;
  Vec3<T> h;
};

template <class T>
__device__ __forceinline__ LandmarkGradient<T> landmark_gradient(const WarpGradTheta<T>& p, int64_t b, int64_t l) {
  const int64_t n = p.vertices[l];
  const T* g = p.grad_landmarks + 2 * (b * p.L + l);
  return {n >= 0 && n < p.model.N ? n : -1, y_up(Vec3<T>{g[0], g[1], T(0)})};
}

// The landmarks' sums to the pose, each warp's own.
template <class T>
__device__ __forceinline__ void landmark_rigid_sums(
    const WarpGradTheta<T>& p, const Mat3<T>& R, int64_t b, double (&sums)[kRigidSums][kWarps]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  double own[kRigidSums] = {};
  for (int64_t l = warp; l < p.L; l += kWarps) {
    const LandmarkGradient<T> grad = landmark_gradient(p, b, l);
    if (grad.n >= 0) {
      const Vec3<T> X = shape_vertex_of_warp(p.model, b, grad.n);
      if (lane == 0) {
        const RigidSums<T> part = rigid_sums_of(R * X, grad.h);
#pragma unroll
        for (int i = 0; i < kRigidSums; ++i) {
          own[i] += static_cast<double>(part.values[i]);
        }
      }
    }
  }
  if (lane == 0) {
#pragma unroll
    for (int i = 0; i < kRigidSums; ++i) {
      sums[i][warp] = own[i];
    }
  }
}

// The landmarks' sums to kModes modes from k0 on, over s. Modes beyond the last are the last one again.
template <class T>
__device__ __forceinline__ void landmark_mode_sums(
    const WarpGradTheta<T>& p, const Mat3<T>& R, int64_t b, int64_t k0, double* out) {  // (kModes,)
  const WarpModel<T>& m = p.model;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  double sums[kModes] = {};
  for (int64_t l = lane; l < p.L; l += kWarp) {
    const LandmarkGradient<T> grad = landmark_gradient(p, b, l);
    if (grad.n >= 0) {
      const Vec3<T> grad_shape = transposed_times(R, grad.h);
#pragma unroll
      for (int i = 0; i < kModes; ++i) {
        const int64_t k = k0 + i < m.K ? k0 + i : m.K - 1;
        sums[i] += static_cast<double>(dot(load3(m.basis + 3 * (k * m.N + grad.n)), grad_shape));
      }
    }
  }
  warp_sums(sums);
  if (lane % (kWarp / kModes) == 0) {
    out[summed_value<kModes>(lane)] = sums[0];
  }
}

template <class T>
__device__ __forceinline__ PartsParams<T> parts_of_theta(const WarpGradTheta<T>& p) {
  return {p.parts, p.chunks, p.model.B, 6 + p.model.K};
}

template <class T>
__device__ __forceinline__ void store_grad_pose(
    const WarpGradTheta<T>& p, const RigidPose<T>& pose, int64_t b, T* grad_theta) {
  __shared__ double of_landmarks[kRigidSums][kWarps];
  __shared__ double sums[kRigidSums];
  landmark_rigid_sums(p, pose.rotation, b, of_landmarks);
  __syncthreads();
  block_sums_of_parts<kThreads>(parts_of_theta(p), b, 0, kRigidSums, [&](int64_t i, double sum) {
    for (int warp = 0; warp < kWarps; ++warp) {
      sum += of_landmarks[i][warp];
    }
    sums[i] = sum;
  });
  if (threadIdx.x == 0) {
    store_rigid_gradient(p.model.theta + b * (6 + p.model.K), pose.scale, sums, grad_theta);
  }
}

// first, last: columns of theta.
template <class T>
__device__ __forceinline__ void store_grad_modes(
    const WarpGradTheta<T>& p, const RigidPose<T>& pose, int64_t b, int64_t first, int64_t last, T* grad_theta) {
  __shared__ double of_landmarks[kTileModes];
  const int own = static_cast<int>(threadIdx.x) / kWarp * kModes;
  landmark_mode_sums(p, pose.rotation, b, first - 6 + own, of_landmarks + own);
  __syncthreads();
  block_sums_of_parts<kThreads>(parts_of_theta(p), b, first, last, [&](int64_t i, double sum) {
    grad_theta[i] = static_cast<T>(static_cast<double>(pose.scale) * (sum + of_landmarks[i - first]));
  });
}

template <class T>
__global__ void __launch_bounds__(kThreads) warp_grad_theta_kernel(WarpGradTheta<T> p, unsigned tiles) {
  __shared__ RigidPose<T> poses[1];
  const int64_t b = blockIdx.x / tiles, tile = blockIdx.x % tiles, D = 6 + p.model.K;
  const int64_t first = tile == 0 ? 0 : 6 + (tile - 1) * kTileModes, end = tile == 0 ? 6 : first + kTileModes;
  const int64_t last = end < D ? end : D;
  T* grad_theta = p.grad_theta + b * D;
  make_poses(p.model, b, 1, poses);
  __syncthreads();
  const RigidPose<T> pose = poses[0];
  if (!is_finite(pose.scale)) {
    if (first + threadIdx.x < last) {
      grad_theta[first + threadIdx.x] = T(0);
    }
  } else if (tile == 0) {
    store_grad_pose(p, pose, b, grad_theta);
  } else {
    store_grad_modes(p, pose, b, first, last, grad_theta);
  }
}

}  // namespace

template <class T>
void launch_warp_grad_theta(const WarpGradTheta<T>& params, CudaStream stream) {
  const int64_t tiles = 1 + ceil_divide(params.model.K, kTileModes);
  launch(
      "warp_backward", stream, params.model.B * tiles, warp_grad_theta_kernel<T>, params, static_cast<unsigned>(tiles));
}

template void launch_warp_grad_theta(const WarpGradTheta<float>&, CudaStream);
template void launch_warp_grad_theta(const WarpGradTheta<double>&, CudaStream);

}  // namespace stn
