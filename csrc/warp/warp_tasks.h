// The fused chain's tasks on the CPU, for forward and backward.
#pragma once

#include <vector>

#include "warp/warp_inputs.h"
#include "warp/warp_landmarks.h"
#include "warp/warp_params.h"

namespace stn {

template <class T>
std::vector<RigidPose<T>> poses_of(const WarpInputs& in) {
  std::vector<RigidPose<T>> all(static_cast<size_t>(in.B));
  for (int64_t b = 0; b < in.B; ++b) {
    all[static_cast<size_t>(b)] = sound_pose(pointer<T>(in.theta) + b * (6 + in.K), 6 + in.K);
  }
  return all;
}

template <class T, class I>
WarpParams<T, I> warp_params(const WarpInputs& in, const std::vector<RigidPose<T>>& poses) {
  WarpParams<T, I> p = {};
  p.image = pointer<I>(in.image), p.theta = pointer<T>(in.theta), p.poses = poses.data();
  p.mean = pointer<T>(in.mean), p.basis = pointer<T>(in.basis);
  p.B = in.B, p.C = in.C, p.H = in.H, p.W = in.W, p.N = in.N, p.K = in.K;
  return p;
}

template <class T>
LandmarkParams<T> landmark_params(const WarpInputs& in, const std::vector<RigidPose<T>>& poses) {
  return {
      pointer<T>(in.theta),
      poses.data(),
      pointer<T>(in.mean),
      pointer<T>(in.basis),
      in.L > 0 ? pointer<int64_t>(*in.landmarks) : nullptr,
      in.B,
      in.N,
      in.K,
      in.L};
}

// kernel(params, begin, end) for all tasks, a thread's in one call, so that it can look ahead (warp_kernels.h).
template <class Params, class Kernel>
void for_all_tasks(const Params& params, Kernel* kernel) {
  const int64_t tasks = ceil_divide(params.N, kVertexBlock) * ceil_divide(params.B, kImageGroup);
  torch::stable::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) { kernel(params, begin, end); });
}

}  // namespace stn
