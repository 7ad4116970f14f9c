// Bilinear samples and their derivatives (docs/math.md#sample): one thread a point, for all planes of its image; a
// block lies within one image, and its threads' points are neighbours in the texture, so their texels are too.
// Forward moves D + C values a point and the texels, most of them once; the backward reads the gradients besides and
// adds up to 4 C contributions a point to the image. All of it is deterministic but for the sums of AtomicSink.
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include "common/launch.h"
#include "sample/sample_cuda.h"
#include "sample/sample_point.h"

namespace stn {
namespace {

using torch::headeronly::BFloat16;
using torch::headeronly::Half;

template <class T, class I>
__device__ __forceinline__ PointPlanes<I> planes_of(const SampleParams<T, I>& p, int64_t b) {
  const int64_t pixels = p.H * p.W;
  return {p.image + b * p.C * pixels, pixels, p.C, p.N};
}

template <class T, class I>
__global__ void __launch_bounds__(kThreads) sample_kernel(SampleParams<T, I> p, unsigned chunks) {
  const int64_t b = blockIdx.x / chunks, n = static_cast<int64_t>(blockIdx.x % chunks) * kThreads + threadIdx.x;
  if (n < p.N) {
    const T* point = p.points + (b * p.N + n) * p.D;
    sample_point(planes_of(p, b), footprint(point[0], point[1], p.H, p.W), p.samples + b * p.C * p.N + n);
  }
}

// Blocks that a multiprocessor's registers must hold: as many as run without spills.
template <class T, class Sink>
constexpr int blocks_of() {
  return std::is_same_v<T, double> || std::is_same_v<Sink, FixedPointSink<T>> ? 2 : 4;
}

template <class T, class I, class Sink>
__global__ void __launch_bounds__(kThreads, blocks_of<T, Sink>())
    sample_backward_kernel(SampleParams<T, I> p, Sink sink, unsigned chunks) {
  const int64_t b = blockIdx.x / chunks, n = static_cast<int64_t>(blockIdx.x % chunks) * kThreads + threadIdx.x;
  if (n >= p.N) {
    return;
  }
  const int64_t i = (b * p.N + n) * p.D;
  const bool point_needed = p.grad_points != nullptr;
  const Vec2<T> grad = sample_point_vjp(
      planes_of(p, b), footprint(p.points[i], p.points[i + 1], p.H, p.W), p.grad_samples + b * p.C * p.N + n,
      point_needed, sink, b * p.C);
  if (point_needed) {
    p.grad_points[i] = grad.x;
    p.grad_points[i + 1] = grad.y;
    if (p.D == 3) {
      p.grad_points[i + 2] = T(0);
    }
  }
}

}  // namespace

template <class T, class I>
void launch_sample(const SampleParams<T, I>& params, CudaStream stream) {
  const int64_t chunks = ceil_divide(params.N, kThreads);
  launch("sample", stream, params.B * chunks, sample_kernel<T, I>, params, static_cast<unsigned>(chunks));
}

template <class T, class I>
void launch_sample_backward(const SampleParams<T, I>& params, const ImageGradient<T, I>& gradient, CudaStream stream) {
  const char* const what = "sample_backward";
  const int64_t chunks = ceil_divide(params.N, kThreads);
  if (gradient.grad_image != nullptr) {
    start_image_gradient(what, gradient, stream);
  }
  with_sink(gradient, [&](auto sink) {
    const auto kernel = sample_backward_kernel<T, I, decltype(sink)>;
    launch(what, stream, params.B * chunks, kernel, params, sink, static_cast<unsigned>(chunks));
  });
  if (gradient.grad_image != nullptr) {
    finish_image_gradient(what, gradient, stream);
  }
}

template void launch_sample(const SampleParams<float, float>&, CudaStream);
template void launch_sample(const SampleParams<double, double>&, CudaStream);
template void launch_sample(const SampleParams<float, Half>&, CudaStream);
template void launch_sample(const SampleParams<float, BFloat16>&, CudaStream);
template void launch_sample_backward(const SampleParams<float, float>&, const ImageGradient<float, float>&, CudaStream);
template void launch_sample_backward(
    const SampleParams<double, double>&, const ImageGradient<double, double>&, CudaStream);
template void launch_sample_backward(const SampleParams<float, Half>&, const ImageGradient<float, Half>&, CudaStream);
template void launch_sample_backward(
    const SampleParams<float, BFloat16>&, const ImageGradient<float, BFloat16>&, CudaStream);

}  // namespace stn
