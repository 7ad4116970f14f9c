// The gradient to theta from the chunks' parts (warp_backward_cuda.cu) and the landmarks (docs/math.md#warp): a block
// for each image. Landmarks are few and may name a vertex more than once. To the pose, a thread takes one landmark
// after another; to alpha, a warp takes a mode and its lanes the landmarks. All sums in double and in a fixed order.
#include "common/block_sum.h"
#include "common/sum_parts.h"
#include "warp/warp_group.h"

namespace stn {
namespace {

constexpr int kWarps = kThreads / kWarp;

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

// The landmarks' sums to the pose, in thread 0.
template <class T>
__device__ __forceinline__ void landmark_rigid_sums(
    const WarpGradTheta<T>& p, const Mat3<T>& R, int64_t b, double (&sums)[kRigidSums]) {
  __shared__ double scratch[kRigidSums][kWarps];
  const WarpModel<T>& m = p.model;
  const T* alpha = m.theta + b * (6 + m.K) + 6;
  for (int i = 0; i < kRigidSums; ++i) {
    sums[i] = 0;
  }
  for (int64_t l = threadIdx.x; l < p.L; l += kThreads) {
    const LandmarkGradient<T> grad = landmark_gradient(p, b, l);
    if (grad.n >= 0) {
      const Vec3<T> rotated = R * shape_vertex(m.mean, m.basis, m.N, m.K, alpha, grad.n);
      const RigidSums<T> part = rigid_sums_of(rotated, grad.h);
      for (int i = 0; i < kRigidSums; ++i) {
        sums[i] += static_cast<double>(part.values[i]);
      }
    }
  }
  for (int i = 0; i < kRigidSums; ++i) {
    sums[i] = block_sum<kThreads>(sums[i], scratch[i]);
  }
}

// The landmarks' sum to alpha[k] over s, in lane 0.
template <class T>
__device__ __forceinline__ double landmark_mode_sum(const WarpGradTheta<T>& p, const Mat3<T>& R, int64_t b, int64_t k) {
  double sum = 0;
  for (int64_t l = threadIdx.x % kWarp; l < p.L; l += kWarp) {
    const LandmarkGradient<T> grad = landmark_gradient(p, b, l);
    if (grad.n >= 0) {
      const Vec3<T> mode = load3(p.model.basis + 3 * (k * p.model.N + grad.n));
      sum += static_cast<double>(dot(mode, transposed_times(R, grad.h)));
    }
  }
  return warp_sum(sum);
}

template <class T>
__global__ void __launch_bounds__(kThreads, 1) warp_grad_theta_kernel(WarpGradTheta<T> p) {
  __shared__ RigidPose<T> poses[1];
  __shared__ double of_texture[kRigidSums];
  __shared__ double of_landmarks[kThreads];
  const int64_t b = blockIdx.x, D = 6 + p.model.K;
  T* grad_theta = p.grad_theta + b * D;
  make_poses(p.model, b, 1, poses);
  __syncthreads();
  const RigidPose<T> pose = poses[0];
  if (!is_finite(pose.scale)) {
    for (int64_t i = threadIdx.x; i < D; i += kThreads) {
      grad_theta[i] = T(0);
    }
    return;
  }
  const PartsParams<T> parts = {p.parts, p.chunks, p.model.B, D};
  double sums[kRigidSums];
  landmark_rigid_sums(p, pose.rotation, b, sums);
  block_sums_of_parts<kThreads>(parts, b, 0, kRigidSums, [&](int64_t i, double sum) { of_texture[i] = sum; });
  if (threadIdx.x == 0) {
    for (int i = 0; i < kRigidSums; ++i) {
      sums[i] += of_texture[i];
    }
    store_rigid_gradient(p.model.theta + b * D, pose.scale, sums, grad_theta);
  }
  for (int64_t first = 6; first < D; first += kThreads) {
    const int64_t last = first + kThreads < D ? first + kThreads : D;
    for (int64_t i = first + threadIdx.x / kWarp; i < last; i += kWarps) {
      const double sum = landmark_mode_sum(p, pose.rotation, b, i - 6);
      if (threadIdx.x % kWarp == 0) {
        of_landmarks[i - first] = sum;
      }
    }
    __syncthreads();
    block_sums_of_parts<kThreads>(parts, b, first, last, [&](int64_t i, double sum) {
      grad_theta[i] = static_cast<T>(static_cast<double>(pose.scale) * (sum + of_landmarks[i - first]));
    });
  }
}

}  // namespace

template <class T>
void launch_warp_grad_theta(const WarpGradTheta<T>& params, CudaStream stream) {
  launch("warp_backward", stream, params.model.B, warp_grad_theta_kernel<T>, params);
}

template void launch_warp_grad_theta(const WarpGradTheta<float>&, CudaStream);
template void launch_warp_grad_theta(const WarpGradTheta<double>&, CudaStream);

}  // namespace stn
