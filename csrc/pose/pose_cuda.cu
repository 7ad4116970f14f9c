// docs/math.md#pose. A thread for each entry of theta: the copies of alpha, which are most of the bytes when K is
// large, coalesce, and the thread of column 0 works out the rigid pose. axis_angle_to_matrix has a thread an image.
// A few kB at B = 64: bound by the launch. Every output has one writer, so all of it is deterministic.
#include "common/launch.h"
#include "pose/pose_cuda.h"
#include "pose/pose_math.h"

namespace stn {
namespace {

template <class T>
__global__ void pose_kernel(PoseParams<T> p) {
  const int64_t i = thread_index();
  if (i >= p.B * p.D) {
    return;
  }
  const int64_t b = i / p.D, column = i % p.D;
  if (column >= 6) {
    p.out.alpha[b * (p.D - 6) + column - 6] = p.theta[i];
  } else if (column == 0) {
    const RigidPose<T> rigid = rigid_pose(p.theta + i);
    store_matrix(p.out.rotation + 9 * b, rigid.rotation);
    p.out.translation[2 * b] = rigid.translation.x;
    p.out.translation[2 * b + 1] = rigid.translation.y;
    p.out.scale[b] = rigid.scale;
  }
}

template <class T>
__global__ void pose_backward_kernel(PoseBackwardParams<T> p) {
  const int64_t i = thread_index();
  if (i >= p.B * p.D) {
    return;
  }
  const int64_t b = i / p.D, column = i % p.D;
  if (column >= 6) {
    p.grad_theta[i] = p.grad.alpha[b * (p.D - 6) + column - 6];
  } else if (column == 0) {
    const RigidPose<T> grad = {
        load_matrix(p.grad.rotation + 9 * b),
        {p.grad.translation[2 * b], p.grad.translation[2 * b + 1]},
        p.grad.scale[b],
    };
    rigid_pose_vjp(p.theta + i, grad, p.grad_theta + i);
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
  launch_each("pose", stream, params.B * params.D, pose_kernel<T>, params);
}

template <class T>
void launch_pose_backward(const PoseBackwardParams<T>& params, CudaStream stream) {
  launch_each("pose_backward", stream, params.B * params.D, pose_backward_kernel<T>, params);
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
