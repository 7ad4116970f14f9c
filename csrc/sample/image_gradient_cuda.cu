// Before and after the kernels that add to the gradient to an image. The largest |gradient| of each plane: a block
// reads kSpan of a plane's N gradients; deterministic, as maxima are. The end: one thread a texel; moves it from the
// sums to the image. Every plane has a scale of its own, so that no image feels another.
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include "common/launch.h"
#include "sample/image_gradient_sinks.h"

namespace stn {
namespace {

using torch::headeronly::BFloat16;
using torch::headeronly::Half;

constexpr int64_t kSpan = 16 * kThreads;  // gradients a block

template <class T, class I>
__global__ void __launch_bounds__(kThreads) largest_kernel(ImageGradient<T, I> g, unsigned spans) {
  const int64_t plane = blockIdx.x / spans, first = blockIdx.x % spans * kSpan;
  const int64_t last = first + kSpan < g.N ? first + kSpan : g.N;
  T largest = T(0);
  for (int64_t n = first + threadIdx.x; n < last; n += kThreads) {
    largest = larger_of(largest, static_cast<T>(g.grad_samples[plane * g.N + n]));
  }
  note_largest(largest, g.largest + plane);
}

template <class T, class I>
__global__ void __launch_bounds__(kThreads) convert_kernel(ImageGradient<T, I> g) {
  const int64_t i = thread_index();
  if (i < g.planes * g.pixels) {
    g.grad_image[i] = static_cast<I>(g.sums[i]);
  }
}

template <class T, class I, int Limbs>
__global__ void __launch_bounds__(kThreads)
    resolve_kernel(ImageGradient<T, I, Limbs> g, FixedPointSink<T, Limbs> sink, unsigned blocks_a_plane) {
  const int64_t index = blockIdx.x / blocks_a_plane;
  const int64_t texel = static_cast<int64_t>(blockIdx.x % blocks_a_plane) * kThreads + threadIdx.x;
  if (texel < g.pixels) {
    g.grad_image[index * g.pixels + texel] = static_cast<I>(sink.plane(index).sum(static_cast<int32_t>(texel)));
  }
}

}  // namespace

template <class T, class I>
void start_image_gradient(const char* what, const ImageGradient<T, I>& g, CudaStream stream) {
  zero_image_gradient(what, g, stream);
  if (g.fixed != nullptr) {
    const int64_t spans = ceil_divide(g.N, kSpan);
    launch(what, stream, g.planes * spans, largest_kernel<T, I>, g, static_cast<unsigned>(spans));
  }
}

template <class T, class I, int Limbs>
void finish_image_gradient(const char* what, const ImageGradient<T, I, Limbs>& g, CudaStream stream) {
  if (g.fixed != nullptr) {
    const int64_t blocks = ceil_divide(g.pixels, kThreads);
    launch(
        what, stream, g.planes * blocks, resolve_kernel<T, I, Limbs>, g, fixed_point_sink(g),
        static_cast<unsigned>(blocks));
  } else if constexpr (!std::is_same_v<T, I>) {
    launch_each(what, stream, g.planes * g.pixels, convert_kernel<T, I>, g);
  }
}

template void start_image_gradient(const char*, const ImageGradient<float, float>&, CudaStream);
template void start_image_gradient(const char*, const ImageGradient<double, double>&, CudaStream);
template void start_image_gradient(const char*, const ImageGradient<float, Half>&, CudaStream);
template void start_image_gradient(const char*, const ImageGradient<float, BFloat16>&, CudaStream);
template void finish_image_gradient(const char*, const ImageGradient<float, float>&, CudaStream);
template void finish_image_gradient(const char*, const ImageGradient<float, float, 2>&, CudaStream);
template void finish_image_gradient(const char*, const ImageGradient<double, double>&, CudaStream);
template void finish_image_gradient(const char*, const ImageGradient<float, Half>&, CudaStream);
template void finish_image_gradient(const char*, const ImageGradient<float, BFloat16>&, CudaStream);

}  // namespace stn
