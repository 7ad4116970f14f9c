// The operator rasterize on CUDA tensors; its kernels are in rasterize_cuda.cu and rasterize_backward_cuda.cu.
#include "rasterize/rasterize_cuda.h"

#include "common/cuda_device.h"
#include "rasterize/rasterize_inputs.h"
#include "sample/image_gradient_memory.h"

namespace stn {
namespace {

template <class T, class Index>
BatchMesh<T, Index> batch_mesh(const RasterizeInputs& in) {
  return {pointer<T>(in.points), pointer<Index>(in.faces), in.face_stride, in.B, in.N, in.F};
}

std::tuple<Tensor, Tensor, Tensor> rasterize_cuda(const Tensor& points, const Tensor& faces, int64_t H, int64_t W) {
  const OnDevice device("rasterize", {&points, &faces});
  const RasterizeInputs in(points, faces, H, W);
  const Tensor face = uninitialised(in.points, {in.B, H, W}, ScalarType::Long);
  const Tensor barycentric = uninitialised(in.points, {in.B, H, W, 3}), depth = uninitialised(in.points, {in.B, H, W});
  dispatch_rasterize(in, "rasterize", [&](auto type, auto index_type) {
    using T = decltype(type);
    using Index = decltype(index_type);
    const RasterizeParams<T, Index> params = {batch_mesh<T, Index>(in),        mutable_pointer<int64_t>(face),
                                              mutable_pointer<T>(barycentric), mutable_pointer<T>(depth),
                                              static_cast<int32_t>(H),         static_cast<int32_t>(W)};
    launch_rasterize(params, device.stream());
  });
  return {barycentric, depth, face};
}

Tensor rasterize_backward_cuda(
    const std::optional<Tensor>& grad_barycentric, const std::optional<Tensor>& grad_depth, const Tensor& points,
    const Tensor& faces, const Tensor& face, const Tensor& barycentric, bool deterministic) {
  const OnDevice device(
      "rasterize_backward",
      {&points, &faces, &face, &barycentric, grad_barycentric.has_value() ? &*grad_barycentric : &points,
       grad_depth.has_value() ? &*grad_depth : &points});
  require(face.dim() == 3, "rasterize_backward: face must be (B, H, W)");
  const RasterizeInputs in(points, faces, face.size(1), face.size(2));
  const RasterizeGradients gradients(in, face, barycentric, grad_barycentric, grad_depth);
  const PointGradientMemory memory(in.points, deterministic, "rasterize_backward: at most (2^31 - 1) / 3 vertices");
  const int64_t pixels = in.H * in.W;
  dispatch_rasterize(in, "rasterize_backward", [&](auto type, auto index_type) {
    using T = decltype(type);
    using Index = decltype(index_type);
    const RasterizeBackwardParams<T, Index> params = {
        batch_mesh<T, Index>(in), gradients.from_image<T>(0, pixels), pixels, memory.gradient<T>(pixels)};
    launch_rasterize_backward(params, device.stream());
  });
  return memory.grad_points;
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("rasterize", TORCH_BOX(&stn::rasterize_cuda));
  library.impl("rasterize_backward", TORCH_BOX(&stn::rasterize_backward_cuda));
}
