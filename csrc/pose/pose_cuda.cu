// docs/math.md#pose. A warp for each image: its lanes copy alpha, most of the bytes when K is large, and the first one
// works out the rigid pose. axis_angle_to_matrix has a thread an image.
// A few kB at B = 64: bound by the launch. Every output has one writer, so all of it is deterministic.
#include "common/block_sum.h"
#include "common/launch.h"
#include "pose/pose_cuda.h"
#include "pose/pose_math.h"

namespace stn {
namespace {

// The warp's lanes copy K values.
template <class T>
__device__ __forceinline__ void copy_alpha(const T* __restrict__ from, int64_t K, int lane, T* __restrict__ to) {
#pragma unroll 4
  for (int64_t k = lane; k < K; k += kWarp) {
    to[k] = from[k];
  }
}

template <class T>
__global__ void pose_kernel(PoseParams<T> p) {
  const int64_t b = thread_index() / kWarp, K = p.D - 6;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (b >= p.B) {
    return;
  }
  const T* theta = p.theta + b * p.D;
  copy_alpha(theta + 6, K, lane, p.out.alpha + b * K);
  if (lane == 0) {
    const RigidPose<T> rigid = rigid_pose(theta);
    store_matrix(p.out.rotation + 9 * b, rigid.rotation);
    p.out.translation[2 * b] = rigid.translation.x;
    p.out.translation[2 * b + 1] = rigid.translation.y;
    p.out.scale[b] = rigid.scale;
  }
}

template <class T>
__global__ void pose_backward_kernel(PoseBackwardParams<T> p) {
  const int64_t b = thread_index() / kWarp, K = p.D - 6;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (b >= p.B) {
    return;
  }
  T* grad_theta = p.grad_theta + b * p.D;
  copy_alpha(p.grad.alpha + b * K, K, lane, grad_theta + 6);
  if (lane == 0) {
    const RigidPose<T> grad = {
        load_matrix(p.grad.rotation + 9 * b),
        {p.grad.translation[2 * b], p.grad.translation[2 * b + 1]},
        p.grad.scale[b],
    };
    rigid_pose_vjp(p.theta + b * p.D, grad, grad_theta);
  }
}

template <class T>
__global__ void axis_angle_to_matrix_kernel(AxisAngleParams<T> p) {
  const int64_t b = thread_index();
  if (b < p.B) {
    store_matrix(p.out + 9 * b, axis_angle_to_matrix(load3(p.r + 3 * b)));
  }
}

template <class T>
__global__ void axis_angle_to_matrix_backward_kernel(AxisAngleParams<T> p) {
  const int64_t b = thread_index();
  if (b < p.B) {
    store3(p.out + 3 * b, axis_angle_to_matrix_vjp(load3(p.r + 3 * b), load_matrix(p.grad_rotation + 9 * b)));
  }
}

}  // namespace

template <class T>
void launch_pose(const PoseParams<T>& params, CudaStream stream) {
  launch_each("pose", stream, params.B * kWarp, pose_kernel<T>, params);
}

template <class T>
void launch_pose_backward(const PoseBackwardParams<T>& params, CudaStream stream) {
  launch_each("pose_backward", stream, params.B * kWarp, pose_backward_kernel<T>, params);
}

template <class T>
void launch_axis_angle_to_matrix(const AxisAngleParams<T>& params, CudaStream stream) {
  launch_each("axis_angle_to_matrix", stream, params.B, axis_angle_to_matrix_kernel<T>, params);
}

template <class T>
void launch_axis_angle_to_matrix_backward(const AxisAngleParams<T>& params, CudaStream stream) {
  launch_each("axis_angle_to_matrix_backward", stream, params.B, axis_angle_to_matrix_backward_kernel<T>, params);
}

template void launch_pose(const PoseParams<float>&, CudaStream);
template void launch_pose(const PoseParams<double>&, CudaStream);
template void launch_pose_backward(const PoseBackwardParams<float>&, CudaStream);
template void launch_pose_backward(const PoseBackwardParams<double>&, CudaStream);
template void launch_axis_angle_to_matrix(const AxisAngleParams<float>&, CudaStream);
template void launch_axis_angle_to_matrix(const AxisAngleParams<double>&, CudaStream);
template void launch_axis_angle_to_matrix_backward(const AxisAngleParams<float>&, CudaStream);
template void launch_axis_angle_to_matrix_backward(const AxisAngleParams<double>&, CudaStream);

}  // namespace stn
