// The operator rasterize on CUDA tensors; its kernels are in rasterize_cuda.cu and rasterize_backward_cuda.cu.
#include "rasterize/rasterize_cuda.h"

#include "common/cuda_device.h"
#include "rasterize/rasterize_inputs.h"

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
  const Tensor grad_points = uninitialised(in.points, {in.B, in.N, 3});
  const int64_t pixels = in.H * in.W;
  dispatch_rasterize(in, "rasterize_backward", [&](auto type, auto index_type) {
    using T = decltype(type);
    using Index = decltype(index_type);
    RasterizeBackwardParams<T, Index> params = {
        batch_mesh<T, Index>(in), gradients.from_image<T>(0, pixels), pixels, {}};
    PointGradient<T>& sums = params.sums;
    sums.grad_image = sums.sums = mutable_pointer<T>(grad_points);
    sums.planes = in.B, sums.pixels = 3 * in.N, sums.N = pixels;
    const int64_t words = deterministic ? 2 * in.B * 3 * in.N : 0;
    const Tensor fixed = uninitialised(in.points, {words}, ScalarType::Long);
    const Tensor largest = uninitialised(in.points, {deterministic ? in.B : 0});
    if (words > 0) {
      sums.fixed = mutable_pointer<unsigned long long>(fixed);
      sums.largest = mutable_pointer<FloatBits<T>>(largest);
    }
    launch_rasterize_backward(params, device.stream());
  });
  return grad_points;
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("rasterize", TORCH_BOX(&stn::rasterize_cuda));
  library.impl("rasterize_backward", TORCH_BOX(&stn::rasterize_backward_cuda));
}
