// The fused chain, backward (docs/math.md#warp), by recomputation. A block takes a chunk of 256 vertices and a group of
// up to 8 images (warp_group.h); image after image, a thread takes one vertex: the gradient to its point, which gives
// the block's six sums to the pose and, in place of its shape, R^T h. Then each warp takes a few modes, and its lanes
// stride over the chunk's coordinates: basis . R^T h for all images of the group. The parts of each chunk are added up
// by warp_grad_theta_cuda.cu. Contributions to the image go to a sink on the way. The gradient through a soft mask,
// that to its points given, takes a launch of its own. Moves the basis 2 B / G times, all but once from the
// second-level cache; the image's texels, the gradient to the texture, and 6 + K numbers a chunk and image. Orders of
// addition are fixed but for AtomicSink's.
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include <type_traits>

#include "common/launch.h"
#include "common/warp_sums.h"
#include "sample/sample_point.h"
#include "warp/warp_group.h"

namespace stn {
namespace {

using torch::headeronly::BFloat16;
using torch::headeronly::Half;

// The gradient to one vertex: h, and p = R X; both 0 where the point is not finite, so that no NaN enters a sum.
template <class T>
struct VertexGradient {
  Vec3<T> p, h;
};

template <class T, class I, class Sink>
__device__ __forceinline__ VertexGradient<T> vertex_gradient(
    const WarpBackward<T, I>& p, const Sink& sink, const RigidPose<T>& pose, Vec3<T> X, int64_t b, int64_t n) {
  const int64_t pixels = p.H * p.W, N = p.model.N;
  const Vec3<T> rotated = pose.rotation * X;
  const Vec3<T> point = project_rotated(pose.scale, pose.translation, rotated);
  const PointPlanes<I> planes = {p.image + b * p.C * pixels, pixels, p.C, N};
  const Vec2<T> grad = sample_point_vjp(
      planes, footprint(point.x, point.y, p.H, p.W), p.grad_texture + b * p.C * N + n, p.parts != nullptr, sink,
      b * p.C);
  if (!(is_finite(point.x) && is_finite(point.y))) {
    return {};
  }
  return {rotated, y_up(Vec3<T>{grad.x, grad.y, T(0)})};
}

// Instead of a sink: the gradient to the points is known already, through a soft mask. Its chunks' parts follow those
// of the texture; in one pass with sampling it would take registers that the usual case needs.
template <class T>
struct GivenPoints {
  const T* grad_points;  // (B, N, 3)
};

template <class T, class I>
__device__ __forceinline__ VertexGradient<T> vertex_gradient(
    const WarpBackward<T, I>& p, const GivenPoints<T>& given, const RigidPose<T>& pose, Vec3<T> X, int64_t b,
    int64_t n) {
  const Vec3<T> rotated = pose.rotation * X;
  const Vec3<T> point = project_rotated(pose.scale, pose.translation, rotated);
  if (!is_finite(point)) {
    return {};
  }
  return {rotated, y_up(load3(given.grad_points + 3 * (b * p.model.N + n)))};
}

// Leaves the warp's sums in warp_sums_of_image[.][warp].
template <class T>
__device__ __forceinline__ void sum_over_warp(const RigidSums<T>& own, T (&of_image)[kRigidSums][kWarps]) {
  T values[8] = {};
  static_assert(kRigidSums <= 8, "warp_sums wants a power of two");
#pragma unroll
  for (int i = 0; i < kRigidSums; ++i) {
    values[i] = own.values[i];
  }
  warp_sums(values);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, value = summed_value<8>(lane);
  if (lane % (kWarp / 8) == 0 && value < kRigidSums) {
    of_image[value][static_cast<int>(threadIdx.x) / kWarp] = values[0];
  }
}

// The chunk's sums to alpha, Modes modes a warp; grad_shapes holds R^T h.
template <int Modes, class T, int G>
__device__ __forceinline__ void store_mode_sums(
    const WarpModel<T>& model, const GroupPlace<G>& at, const T (&grad_shapes)[G][kChunkColumns],
    T* parts) {  // (B, 6 + K)
  constexpr int kSums = Modes * G;
  static_assert(kSums <= kWarp, "a lane for each sum");
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t row_stride = 3 * model.N, D = 6 + model.K;
  for (int64_t k0 = warp * Modes; k0 < model.K; k0 += kWarps * Modes) {
    T sums[kSums] = {};
    const T* rows[Modes];  // the last one again beyond it
#pragma unroll
    for (int m = 0; m < Modes; ++m) {
      rows[m] = model.basis + (k0 + m < model.K ? k0 + m : model.K - 1) * row_stride + 3 * at.first;
    }
#pragma unroll 2
    for (int column = lane; column < 3 * at.vertices; column += kWarp) {
      T mode[Modes];
#pragma unroll
      for (int m = 0; m < Modes; ++m) {
        mode[m] = rows[m][column];
      }
#pragma unroll
      for (int g = 0; g < G; ++g) {
        const T grad = grad_shapes[g][column];
#pragma unroll
        for (int m = 0; m < Modes; ++m) {
          sums[m * G + g] += mode[m] * grad;
        }
      }
    }
    warp_sums(sums);
    const int value = summed_value<kSums>(lane), g = value % G;
    const int64_t k = k0 + value / G;
    if (lane % (kWarp / kSums) == 0 && k < model.K && g < at.images) {
      parts[(at.b0 + g) * D + 6 + k] = sums[0];
    }
  }
}

// Blocks that a multiprocessor should hold at once: what leaves a thread the registers that it needs.
template <class T, class Sink>
constexpr int blocks_of() {
  if (std::is_same_v<T, double>) {
    return 1;
  }
  return std::is_same_v<Sink, FixedPointSink<T>> ? 2 : 3;
}

template <class T, class I, int G, class Sink>
__global__ void __launch_bounds__(kThreads, blocks_of<T, Sink>())
    warp_backward_kernel(WarpBackward<T, I> p, Sink sink, unsigned groups) {
  __shared__ T shapes[G][kChunkColumns];
  __shared__ RigidPose<T> poses[G];
  __shared__ T sums[G][kRigidSums][kWarps];
  const auto at = GroupPlace<G>::of(p.model, blockIdx.x, groups);
  const int thread = static_cast<int>(threadIdx.x);
  make_poses(p.model, at.b0, at.images, poses);
  make_shapes(p.model, at, shapes);
  __syncthreads();
  for (int g = 0; g < at.images; ++g) {
    VertexGradient<T> grad = {};
    if (thread < at.vertices) {
      const Vec3<T> X = load3(&shapes[g][3 * thread]);
      grad = vertex_gradient(p, sink, poses[g], X, at.b0 + g, at.first + thread);
    }
    if (p.parts != nullptr) {
      store3(&shapes[g][3 * thread], transposed_times(poses[g].rotation, grad.h));
      sum_over_warp(rigid_sums_of(grad.p, grad.h), sums[g]);
    }
  }
  if (p.parts == nullptr) {
    return;
  }
  __syncthreads();
  T* parts = p.parts + at.chunk * p.model.B * (6 + p.model.K);
  if (thread < kRigidSums * at.images) {
    const int g = thread / kRigidSums, i = thread % kRigidSums;
    T sum = T(0);
    for (int warp = 0; warp < kWarps; ++warp) {
      sum += sums[g][i][warp];
    }
    parts[(at.b0 + g) * (6 + p.model.K) + i] = sum;
  }
  // Few modes are dealt out more thinly, so that all warps have some.
  if (p.model.K < 4 * kWarps) {
    store_mode_sums<2>(p.model, at, shapes, parts);
  } else {
    store_mode_sums<4>(p.model, at, shapes, parts);
  }
}

template <class T, class I, class Sink>
void launch_chunks(const WarpBackward<T, I>& params, const Sink& sink, CudaStream stream) {
  const WarpModel<T>& m = params.model;
  with_group<T>(m.B, [&](auto group) {
    constexpr int G = group;
    const int64_t groups = ceil_divide(m.B, G);
    const auto kernel = warp_backward_kernel<T, I, G, Sink>;
    launch("warp_backward", stream, warp_chunks(m) * groups, kernel, params, sink, static_cast<unsigned>(groups));
  });
}

// The chunks' parts of the gradient through the texture, and the gradient to the image.
template <class T, class I>
void launch_texture(const WarpBackward<T, I>& params, const ImageGradient<T, I>& gradient, CudaStream stream) {
  const bool image_needed = gradient.grad_image != nullptr;
  if (image_needed) {
    start_image_gradient("warp_backward", gradient, stream);
  }
  with_sink(gradient, [&](const auto& sink) { launch_chunks(params, sink, stream); });
  if (image_needed) {
    finish_image_gradient("warp_backward", gradient, stream);
  }
}

template <class T>
int64_t part_sums(const WarpModel<T>& m) {
  return warp_chunks(m) * m.B * (6 + m.K);
}

}  // namespace

template <class T, class I>
void launch_warp_backward(const WarpBackward<T, I>& params, const ImageGradient<T, I>& gradient, CudaStream stream) {
  const char* const what = "warp_backward";
  const bool image_needed = gradient.grad_image != nullptr, textured = params.grad_texture != nullptr,
             masked = params.grad_points != nullptr;
  if (textured && (image_needed || params.parts != nullptr)) {
    launch_texture(params, gradient, stream);
  }
  if (masked) {
    WarpBackward<T, I> through_mask = params;
    through_mask.parts += textured ? part_sums(params.model) : 0;
    launch_chunks(through_mask, GivenPoints<T>{params.grad_points}, stream);
  }
  if (!textured && image_needed) {
    fill_zero(what, stream, gradient.grad_image, gradient.planes * gradient.pixels * static_cast<int64_t>(sizeof(I)));
  }
  if (params.grad_theta != nullptr) {
    const int64_t passes = params.parts == nullptr ? 0 : (textured ? 1 : 0) + (masked ? 1 : 0);
    const int64_t chunks = passes * warp_chunks(params.model);
    launch_warp_grad_theta<T>(
        {params.model, params.parts, params.vertices, params.grad_landmarks, params.grad_theta, chunks,
         params.grad_landmarks != nullptr ? params.L : 0},
        stream);
  }
}

template void launch_warp_backward(const WarpBackward<float, float>&, const ImageGradient<float, float>&, CudaStream);
template void launch_warp_backward(
    const WarpBackward<double, double>&, const ImageGradient<double, double>&, CudaStream);
template void launch_warp_backward(const WarpBackward<float, Half>&, const ImageGradient<float, Half>&, CudaStream);
template void launch_warp_backward(
    const WarpBackward<float, BFloat16>&, const ImageGradient<float, BFloat16>&, CudaStream);

}  // namespace stn
