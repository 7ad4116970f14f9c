// The operator warp on CUDA tensors; its kernels are in warp_cuda.cu, warp_backward_cuda.cu and
// warp_grad_theta_cuda.cu.
#include "warp/warp_cuda.h"

#include "common/cuda_device.h"
#include "sample/image_gradient_memory.h"
#include "visibility/hide_vertices.h"
#include "warp/warp_inputs.h"

namespace stn {
namespace {

// Those of the tensors that are given must be where the first one is.
void require_device_of(const Tensor& first, std::initializer_list<const std::optional<Tensor>*> others) {
  for (const std::optional<Tensor>* other : others) {
    STD_TORCH_CHECK(
        !other->has_value() || (*other)->device() == first.device(), "warp: all tensors must be on one device");
  }
}

template <class T>
WarpModel<T> model_of(const WarpInputs& in) {
  return {pointer<T>(in.theta), pointer<T>(in.mean), pointer<T>(in.basis), in.B, in.N, in.K};
}

template <class T>
const T* pointer_or_null(const std::optional<Tensor>& tensor) {
  return tensor.has_value() ? pointer<T>(*tensor) : nullptr;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> warp_cuda(
    const Tensor& image, const Tensor& theta, const Tensor& mean, const Tensor& basis,
    const std::optional<Tensor>& landmarks, const std::optional<Tensor>& valid, int64_t P, int64_t Q,
    const std::string& visibility, double tolerance, double temperature) {
  const OnDevice device("warp", {&image, &theta, &mean, &basis});
  require_device_of(image, {&landmarks, &valid});
  const WarpInputs in(image, theta, mean, basis, landmarks);
  const WarpChoices choices(in, valid, P, Q, visibility);
  const WarpOutputs out(in, choices, P, Q);
  dispatch_image(in.image, in.theta, "warp", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    WarpForward<T, I> params = {};
    params.model = model_of<T>(in);
    params.image = pointer<I>(in.image);
    params.valid = pointer_or_null<bool>(choices.valid);
    params.vertices = pointer_or_null<int64_t>(in.landmarks);
    params.texture = mutable_pointer<I>(out.texture);
    params.mask = mutable_pointer<T>(out.mask);
    params.points = choices.hidden ? mutable_pointer<T>(out.points) : nullptr;
    params.landmarks = mutable_pointer<T>(out.landmarks);
    params.C = in.C, params.H = in.H, params.W = in.W, params.L = in.L;
    launch_warp(params, device.stream());
  });
  if (choices.soft) {
    soften_grid_vertices(out.points, P, Q, tolerance, temperature, out.mask, out.winner, device.stream());
  } else if (choices.hidden) {
    hide_grid_vertices(out.points, P, Q, tolerance, out.mask, device.stream());
  }
  return out.all();
}

// The points as the forward makes them, and nothing else.
template <class T, class I>
void project_again(const WarpInputs& in, const Tensor& points, CudaStream stream) {
  WarpForward<T, I> params = {};
  params.model = model_of<T>(in);
  params.points = mutable_pointer<T>(points);
  params.H = in.H, params.W = in.W;
  launch_warp(params, stream);
}

std::tuple<Tensor, Tensor> warp_backward_cuda(
    const std::optional<Tensor>& grad_texture, const std::optional<Tensor>& grad_mask,
    const std::optional<Tensor>& grad_landmarks, const Tensor& image, const Tensor& theta, const Tensor& mean,
    const Tensor& basis, const std::optional<Tensor>& landmarks, const Tensor& winner, int64_t P, int64_t Q,
    double tolerance, double temperature, bool image_needed, bool theta_needed, bool deterministic) {
  const OnDevice device("warp_backward", {&image, &theta, &mean, &basis, &winner});
  require_device_of(image, {&grad_texture, &grad_mask, &grad_landmarks, &landmarks});
  const WarpInputs in(image, theta, mean, basis, landmarks);
  const WarpGradients grads(in, grad_texture, grad_mask, grad_landmarks, winner, P, Q);
  const bool textured = grads.texture.has_value() && grads.texture->numel() > 0;
  const bool masked = theta_needed && grads.mask.has_value() && grads.mask->numel() > 0;
  const int64_t passes = (theta_needed && textured ? 1 : 0) + (masked ? 1 : 0);
  const int64_t D = 6 + in.K, chunks = passes * ceil_divide(in.N, kWarpChunk);
  const Tensor points = masked ? uninitialised(in.theta, {in.B, in.N, 3}) : uninitialised(in.theta, {0});
  const Tensor grad_theta = theta_needed ? uninitialised(in.theta, {in.B, D}) : uninitialised(in.theta, {0});
  const Tensor parts = uninitialised(in.theta, {chunks, in.B, D});
  const ImageGradientMemory memory(in.image, in.theta, image_needed, deterministic, textured);
  dispatch_image(in.image, in.theta, "warp_backward", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    Tensor grad_points;
    if (masked) {
      project_again<T, I>(in, points, device.stream());
      grad_points =
          soft_grid_backward(*grads.mask, points, grads.winner, P, Q, tolerance, temperature, device.stream());
    }
    WarpBackward<T, I> params = {};
    params.grad_points = masked ? pointer<T>(grad_points) : nullptr;
    params.model = model_of<T>(in);
    params.image = pointer<I>(in.image);
    params.grad_texture = textured ? pointer<I>(*grads.texture) : nullptr;
    params.vertices = pointer_or_null<int64_t>(in.landmarks);
    params.grad_landmarks = pointer_or_null<T>(grads.landmarks);
    params.parts = chunks > 0 ? mutable_pointer<T>(parts) : nullptr;
    params.grad_theta = theta_needed ? mutable_pointer<T>(grad_theta) : nullptr;
    params.C = in.C, params.H = in.H, params.W = in.W, params.L = in.L;
    launch_warp_backward(params, memory.gradient<T, I>(textured ? *grads.texture : in.image, in.N), device.stream());
  });
  return {memory.grad_image, grad_theta};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("warp", TORCH_BOX(&stn::warp_cuda));
  library.impl("warp_backward", TORCH_BOX(&stn::warp_backward_cuda));
}
