// The gradient to the vertices (docs/math.md#rasterize): one thread a pixel, which adds to the three corners of the
// face that it shows; a warp that shows one face adds up first. Reads 12 + 16 bytes a pixel (float32) and the face's
// corners, and adds 9 values. The sums are in any order, or deterministic: pairs of integers on the scale of the
// largest contribution in the image, which a kernel before finds (sample/fixed_point_math.h).
#include "common/block_sum.h"
#include "common/launch.h"
#include "rasterize/rasterize_cuda.h"
#include "sample/image_gradient_sinks.h"

namespace stn {
namespace {

// What one thread's pixel contributes.
template <class T>
struct Contribution {
  int64_t b;
  int64_t f;  // -1 for a pixel that shows no face, or a thread without one
  Face face;
  CornerGradients<T> grads;
};

template <class T, class Index>
__device__ __forceinline__ Contribution<T> contribution(
    const RasterizeBackwardParams<T, Index>& p, unsigned blocks_an_image) {
  Contribution<T> c = {};
  c.b = blockIdx.x / blocks_an_image;
  c.f = -1;
  const int64_t pixel = blockIdx.x % blocks_an_image * int64_t{kThreads} + threadIdx.x;
  const int64_t place = c.b * p.pixels + pixel;
  const ImageMesh<T, Index> mesh = p.mesh.of_image(c.b);
  if (pixel < p.pixels && p.picture.load(mesh, place, c.face)) {
    c.f = p.picture.face[place];
    c.grads = p.picture.to_corners(mesh, place, c.face);
  }
  return c;
}

template <class T, class F>
__device__ __forceinline__ void for_each_number(const CornerGradients<T>& grads, const F& f) {
#pragma unroll
  for (int corner = 0; corner < 3; ++corner) {
    const Vec3<T> grad = corner == 0 ? grads.a : (corner == 1 ? grads.b : grads.c);
    f(corner, 0, grad.x);
    f(corner, 1, grad.y);
    f(corner, 2, grad.z);
  }
}

template <class T, class Index>
__global__ void __launch_bounds__(kThreads)
    rasterize_largest_kernel(RasterizeBackwardParams<T, Index> p, unsigned blocks_an_image) {
  const Contribution<T> c = contribution(p, blocks_an_image);
  T largest = T(0);
  for_each_number(c.grads, [&](int, int, T value) { largest = larger_of(largest, value); });
  note_largest(largest, p.sums.largest + c.b);
}

template <class T, class Index, class Sink>
__global__ void __launch_bounds__(kThreads)
    rasterize_backward_kernel(RasterizeBackwardParams<T, Index> p, Sink sink, unsigned blocks_an_image) {
  const Contribution<T> c = contribution(p, blocks_an_image);
  const bool alike = __all_sync(kWholeWarp, c.f == __shfl_sync(kWholeWarp, c.f, 0));
  if (alike && c.f < 0) {
    return;
  }
  const bool adds = alike ? threadIdx.x % kWarp == 0 : c.f >= 0;
  const auto image = sink.plane(c.b);
  for_each_number(c.grads, [&](int corner, int axis, T value) {
    const T sum = alike ? warp_sum(value) : value;
    if (adds) {
      const int32_t vertex = corner == 0 ? c.face.i : (corner == 1 ? c.face.j : c.face.k);
      image.add(3 * vertex + axis, sum);
    }
  });
}

}  // namespace

template <class T, class Index>
void launch_rasterize_backward(const RasterizeBackwardParams<T, Index>& params, CudaStream stream) {
  const char* const what = "rasterize_backward";
  const PointGradient<T>& sums = params.sums;
  const int64_t blocks = ceil_divide(params.pixels, kThreads);
  const auto for_each_pixel = [&](auto kernel, auto... more) {
    launch(what, stream, params.mesh.B * blocks, kernel, params, more..., static_cast<unsigned>(blocks));
  };
  zero_image_gradient(what, sums, stream);
  if (sums.fixed != nullptr) {
    for_each_pixel(rasterize_largest_kernel<T, Index>);
  }
  with_sink(sums, [&](auto sink) {
    if constexpr (decltype(sink)::kNeeded) {
      for_each_pixel(rasterize_backward_kernel<T, Index, decltype(sink)>, sink);
    }
  });
  finish_image_gradient(what, sums, stream);
}

template void launch_rasterize_backward(const RasterizeBackwardParams<float, int32_t>&, CudaStream);
template void launch_rasterize_backward(const RasterizeBackwardParams<float, int64_t>&, CudaStream);
template void launch_rasterize_backward(const RasterizeBackwardParams<double, int32_t>&, CudaStream);
template void launch_rasterize_backward(const RasterizeBackwardParams<double, int64_t>&, CudaStream);

}  // namespace stn
