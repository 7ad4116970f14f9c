// Tasks are blocks of vertices x groups of images (warp_kernels.h); visibility, which needs all of a face, follows
// one task an image. Backward recomputes the points instead of keeping them. The gradient to theta is summed from
// the blocks' parts in block order, whatever the number of threads; the gradient to the image has one task for each
// image, or for each plane where there are fewer images than threads, and is repeatable too.
#include "common/tensor.h"
#include "visibility/visibility_cpu.h"
#include "warp/warp_landmarks.h"
#include "warp/warp_params.h"

#define STN_KERNELS "warp/warp_all_kernels.h"
#include "common/each_instruction_set.h"
#include "sample/sample_planes.h"

namespace stn {
namespace {

// The arguments that forward and backward share, contiguous and of matching sizes.
struct WarpInputs {
  Tensor image, theta, mean, basis;
  std::optional<Tensor> landmarks;
  int64_t B, C, H, W, N, K, L;

  WarpInputs(
      const Tensor& image_in, const Tensor& theta_in, const Tensor& mean_in, const Tensor& basis_in,
      const std::optional<Tensor>& landmarks_in)
      : image(as_contiguous(image_in)), theta(as_contiguous(theta_in)), mean(as_contiguous(mean_in)),
        basis(as_contiguous(basis_in)), landmarks(landmarks_in) {
    require(image.dim() == 4, "warp: image must be (B, C, H, W)");
    require(basis.dim() == 3, "warp: basis must be (K, N, 3)");
    B = image.size(0), C = image.size(1), H = image.size(2), W = image.size(3);
    K = basis.size(0), N = basis.size(1), L = 0;
    require_plane(H, W);
    require_shape(theta, {B, 6 + K}, "warp: theta must be (B, 6 + K)");
    require_shape(mean, {N, 3}, "warp: mean must be (N, 3)");
    require_shape(basis, {K, N, 3}, "warp: basis must be (K, N, 3)");
    require(
        mean.scalar_type() == theta.scalar_type() && basis.scalar_type() == theta.scalar_type(),
        "warp: theta, mean and basis must have one dtype");
    if (landmarks.has_value()) {
      landmarks = as_contiguous(*landmarks);
      require(landmarks->dim() == 1, "warp: landmarks must be (L,)");
      require(landmarks->scalar_type() == ScalarType::Long, "warp: landmarks must be int64");
      L = landmarks->size(0);
    }
  }

  template <class T>
  std::vector<RigidPose<T>> poses() const {
    std::vector<RigidPose<T>> all(static_cast<size_t>(B));
    for (int64_t b = 0; b < B; ++b) {
      all[static_cast<size_t>(b)] = rigid_pose(pointer<T>(theta) + b * (6 + K));
    }
    return all;
  }

  template <class T, class I>
  WarpParams<T, I> params(const std::vector<RigidPose<T>>& poses) const {
    WarpParams<T, I> p = {};
    p.image = pointer<I>(image), p.theta = pointer<T>(theta), p.poses = poses.data();
    p.mean = pointer<T>(mean), p.basis = pointer<T>(basis);
    p.B = B, p.C = C, p.H = H, p.W = W, p.N = N, p.K = K;
    return p;
  }

  template <class T>
  LandmarkParams<T> landmark_params(const std::vector<RigidPose<T>>& poses) const {
    return {
        pointer<T>(theta),
        poses.data(),
        pointer<T>(mean),
        pointer<T>(basis),
        L > 0 ? pointer<int64_t>(*landmarks) : nullptr,
        B,
        N,
        K,
        L};
  }
};

// kernel(params, block, group) for every block of vertices and group of images.
template <class Params, class Kernel>
void for_each_task(const Params& params, Kernel* kernel) {
  const int64_t blocks = ceil_divide(params.N, kVertexBlock), groups = ceil_divide(params.B, kImageGroup);
  torch::stable::parallel_for(0, blocks * groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      kernel(params, task / groups, task % groups);
    }
  });
}

// mask *= visibility.
template <class T>
void hide_vertices(const T* points, int64_t B, int64_t N, const Mesh& mesh, T tolerance, T* mask) {
  torch::stable::parallel_for(0, B, 1, [&](int64_t begin, int64_t end) {
    std::vector<T> visible(static_cast<size_t>(N));
    for (int64_t b = begin; b < end; ++b) {
      visible_vertices(points + 3 * b * N, N, mesh, tolerance, visible.data());
      for (int64_t n = 0; n < N; ++n) {
        mask[b * N + n] *= visible[static_cast<size_t>(n)];
      }
    }
  });
}

std::tuple<Tensor, Tensor, Tensor> warp_cpu(
    const Tensor& image, const Tensor& theta, const Tensor& mean, const Tensor& basis,
    const std::optional<Tensor>& landmarks, const std::optional<Tensor>& valid_in, int64_t P, int64_t Q,
    const std::string& visibility, double tolerance) {
  const WarpInputs in(image, theta, mean, basis, landmarks);
  require(P >= 0 && Q >= 0 && P * Q == in.N, "warp: P Q must be N");
  require(visibility == "hard" || visibility == "none", "warp: visibility must be hard or none");
  const bool hidden = visibility == "hard";
  std::optional<Tensor> valid;
  if (valid_in.has_value()) {
    valid = as_contiguous(*valid_in);
    require_shape(*valid, {in.N}, "warp: valid must be (N,)");
    require(valid->scalar_type() == ScalarType::Bool, "warp: valid must be bool");
  }
  const Tensor texture = uninitialised(in.image, {in.B, in.C, P, Q});
  const Tensor mask = uninitialised(in.theta, {in.B, 1, P, Q});
  const Tensor projected = uninitialised(in.theta, {in.B, in.L, 2});
  const Tensor points = hidden ? uninitialised(in.theta, {in.B, in.N, 3}) : uninitialised(in.theta, {0});
  dispatch_image(in.image, in.theta, "warp", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    const auto poses = in.poses<T>();
    WarpParams<T, I> params = in.params<T, I>(poses);
    params.valid = valid.has_value() ? pointer<bool>(*valid) : nullptr;
    params.texture = mutable_pointer<I>(texture);
    params.mask = mutable_pointer<T>(mask);
    params.points = hidden ? mutable_pointer<T>(points) : nullptr;
    const auto kernel = STN_CHOOSE_KERNEL(warp_block<T, I>);
    for_each_task(params, kernel);
    if (hidden) {
      hide_vertices(
          pointer<T>(points), in.B, in.N, {nullptr, false, 0, P, Q}, static_cast<T>(tolerance),
          mutable_pointer<T>(mask));
    }
    project_landmarks(in.landmark_params(poses), mutable_pointer<T>(projected));
  });
  return {texture, mask, projected};
}

// One image's sums -> its row of grad_theta; 0 for a pose that is not finite, which no gradient can mend.
template <class T>
void store_grad_theta(const T* theta, const RigidPose<T>& pose, const double* sums, int64_t K, T* out) {
  bool finite = is_finite(pose.scale);
  for (int64_t i = 0; i < 6 + K; ++i) {
    finite = finite && is_finite(theta[i]);
  }
  if (!finite) {
    std::fill(out, out + 6 + K, T(0));
    return;
  }
  const double s = static_cast<double>(pose.scale);
  const Vec3<double> torque = {s * sums[0], s * sums[1], s * sums[2]};
  const Vec3<double> r = {static_cast<double>(theta[0]), static_cast<double>(theta[1]), static_cast<double>(theta[2])};
  const Vec3<double> grad_r = left_jacobian_transposed(r, torque);
  const double head[6] = {grad_r.x, grad_r.y, grad_r.z, sums[3], sums[4], s * sums[5]};
  for (int64_t i = 0; i < 6 + K; ++i) {
    out[i] = static_cast<T>(i < 6 ? head[i] : s * sums[i]);
  }
}

template <class T>
void grad_theta_cpu(
    const WarpInputs& in, const std::vector<RigidPose<T>>& poses, const T* parts, const T* grad_landmarks,
    T* grad_theta) {
  const int64_t D = 6 + in.K, blocks = parts == nullptr ? 0 : ceil_divide(in.N, kVertexBlock);
  std::vector<double> sums(static_cast<size_t>(D));
  for (int64_t b = 0; b < in.B; ++b) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int64_t block = 0; block < blocks; ++block) {
      const T* part = parts + (block * in.B + b) * D;
      for (int64_t i = 0; i < D; ++i) {
        sums[static_cast<size_t>(i)] += static_cast<double>(part[i]);
      }
    }
    if (grad_landmarks != nullptr) {
      add_landmark_sums(in.landmark_params(poses), grad_landmarks, b, sums.data());
    }
    store_grad_theta(
        pointer<T>(in.theta) + b * D, poses[static_cast<size_t>(b)], sums.data(), in.K, grad_theta + b * D);
  }
}

template <class T, class I>
void grad_image_cpu(const WarpParams<T, I>& params, I* grad_image) {
  const auto kernel = STN_CHOOSE_KERNEL(warp_grad_planes<T, I>);
  const bool by_image = params.B >= static_cast<int64_t>(torch::stable::get_num_threads());
  const int64_t planes = by_image ? params.C : 1, tasks = by_image ? params.B : params.B * params.C;
  for_each_plane_gradient<T>(grad_image, tasks, planes, params.H * params.W, [&](int64_t task, T* grad_planes) {
    const int64_t first = task * planes;
    kernel(params, first / params.C, first % params.C, planes, grad_planes);
  });
}

std::tuple<Tensor, Tensor> warp_backward_cpu(
    const std::optional<Tensor>& grad_texture_in, const std::optional<Tensor>& grad_landmarks_in, const Tensor& image,
    const Tensor& theta, const Tensor& mean, const Tensor& basis, const std::optional<Tensor>& landmarks,
    bool image_needed, bool theta_needed, bool /*deterministic*/) {
  const WarpInputs in(image, theta, mean, basis, landmarks);
  std::optional<Tensor> grad_texture, grad_landmarks;
  if (grad_texture_in.has_value()) {
    grad_texture = as_contiguous(*grad_texture_in);
    require(grad_texture->numel() == in.B * in.C * in.N, "warp_backward: grad_texture must be (B, C, P, Q)");
    require(
        grad_texture->scalar_type() == in.image.scalar_type(),
        "warp_backward: grad_texture must have the image's dtype");
  }
  if (grad_landmarks_in.has_value() && in.L > 0) {
    grad_landmarks = as_contiguous(*grad_landmarks_in);
    require_shape(*grad_landmarks, {in.B, in.L, 2}, "warp_backward: grad_landmarks must be (B, L, 2)");
    require(
        grad_landmarks->scalar_type() == in.theta.scalar_type(),
        "warp_backward: grad_landmarks must have theta's dtype");
  }
  const int64_t D = 6 + in.K, blocks = ceil_divide(in.N, kVertexBlock);
  const bool by_texture = theta_needed && grad_texture.has_value();
  const Tensor grad_image =
      image_needed ? uninitialised(in.image, {in.B, in.C, in.H, in.W}) : uninitialised(in.image, {0});
  const Tensor grad_theta = theta_needed ? uninitialised(in.theta, {in.B, D}) : uninitialised(in.theta, {0});
  const Tensor parts = by_texture ? uninitialised(in.theta, {blocks, in.B, D}) : uninitialised(in.theta, {0});
  dispatch_image(in.image, in.theta, "warp_backward", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    const auto poses = in.poses<T>();
    WarpParams<T, I> params = in.params<T, I>(poses);
    params.grad_texture = grad_texture.has_value() ? pointer<I>(*grad_texture) : nullptr;
    if (by_texture) {
      params.grad_parts = mutable_pointer<T>(parts);
      const auto kernel = STN_CHOOSE_KERNEL(warp_grad_theta_block<T, I>);
      for_each_task(params, kernel);
    }
    if (theta_needed) {
      grad_theta_cpu<T>(
          in, poses, params.grad_parts, grad_landmarks.has_value() ? pointer<T>(*grad_landmarks) : nullptr,
          mutable_pointer<T>(grad_theta));
    }
    if (image_needed && grad_texture.has_value()) {
      grad_image_cpu(params, mutable_pointer<I>(grad_image));
    } else if (image_needed) {
      std::fill_n(mutable_pointer<I>(grad_image), grad_image.numel(), static_cast<I>(0.0f));
    }
  });
  return {grad_image, grad_theta};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("warp", TORCH_BOX(&stn::warp_cpu));
  library.impl("warp_backward", TORCH_BOX(&stn::warp_backward_cpu));
}
