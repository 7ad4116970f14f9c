// The gradient of soft visibility to the points (docs/math.md#visibility). One thread a vertex finds its own gradient,
// of which its winner's corners get shares; the next pass hands out both. A corner gets any number of shares, and pose
// gradients must be repeatable, so they are always added up as integers (sample/image_gradient_sinks.h: the points as
// images of N texels, x, y and depth being planes of their own, each with a scale). A sort by corner would be
// repeatable, too, but costs several passes over all vertices, where most have no winner or are past the step.
// Reads 12 + 8 + 4 bytes a vertex and the corners' 36, writes 12; the sums take 24 + 12 bytes a vertex, written and
// read. Deterministic.
#include "common/launch.h"
#include "sample/image_gradient_sinks.h"
#include "visibility/mesh_kernels.h"
#include "visibility/visibility_cuda.h"

namespace stn {
namespace {

__device__ __forceinline__ bool load_winner(const GridFaces& faces, int64_t, int64_t, int64_t index, Face& face) {
  const int64_t across = faces.Q - 1, cell = index / 2;
  if (index < 0 || across < 1 || cell >= across * (faces.P - 1)) {
    return false;
  }
  const int64_t first = cell / across * faces.Q + cell % across;
  face = grid_face(static_cast<int32_t>(first), static_cast<int32_t>(faces.Q), static_cast<int32_t>(index % 2));
  return true;
}

template <class Index>
__device__ __forceinline__ bool load_winner(
    const ListedFaces<Index>& faces, int64_t b, int64_t N, int64_t index, Face& face) {
  const Index* list = faces.faces + (faces.per_image ? b * 3 * faces.F : 0);
  return index >= 0 && index < faces.F && load_face(list + 3 * index, N, face);
}

template <class T, class Faces>
__device__ __forceinline__ bool gradient_of(
    const SoftBackward<T>& p, const Faces& faces, int64_t b, int64_t n, Face& face, SoftGradient<T>& gradient) {
  const T* points = p.points + 3 * b * p.N;
  if (!load_winner(faces, b, p.N, p.winner[b * p.N + n], face)) {
    return false;
  }
  gradient = soft_visible_vjp(
      p.step, face, load3(points + 3 * static_cast<int64_t>(face.i)), load3(points + 3 * static_cast<int64_t>(face.j)),
      load3(points + 3 * static_cast<int64_t>(face.k)), load3(points + 3 * n), p.grad_visible[b * p.N + n]);
  return true;
}

template <class T, class Faces>
__global__ void own_gradient_kernel(SoftBackward<T> p, Faces faces) {
  const int64_t i = thread_index();
  if (i >= p.B * p.N) {
    return;
  }
  const int64_t b = i / p.N, n = i % p.N;
  Face face;
  SoftGradient<T> gradient;
  const Vec3<T> own = gradient_of(p, faces, b, n, face, gradient) ? gradient.to_vertex : Vec3<T>{T(0), T(0), T(0)};
  T* plane = p.own + 3 * b * p.N + n;
  plane[0] = own.x;
  plane[p.N] = own.y;
  plane[2 * p.N] = own.z;
}

template <class T>
__device__ __forceinline__ void add(
    const FixedPointSink<T>& sink, int64_t b, int32_t vertex, T factor, Vec3<T> gradient) {
  sink.plane(3 * b).add(vertex, factor * gradient.x);
  sink.plane(3 * b + 1).add(vertex, factor * gradient.y);
  sink.plane(3 * b + 2).add(vertex, factor * gradient.z);
}

template <class T, class Faces>
__global__ void hand_out_kernel(SoftBackward<T> p, Faces faces, FixedPointSink<T> sink) {
  const int64_t i = thread_index();
  if (i >= p.B * p.N) {
    return;
  }
  const int64_t b = i / p.N, n = i % p.N;
  Face face;
  SoftGradient<T> gradient;
  if (!gradient_of(p, faces, b, n, face, gradient) || gradient.to_vertex.z == T(0)) {
    return;
  }
  add(sink, b, static_cast<int32_t>(n), T(1), gradient.to_vertex);
  add(sink, b, face.i, -gradient.lambda.x, gradient.to_vertex);
  add(sink, b, face.j, -gradient.lambda.y, gradient.to_vertex);
  add(sink, b, face.k, -gradient.lambda.z, gradient.to_vertex);
}

template <class T>
__global__ void collect_kernel(SoftBackward<T> p, FixedPointSink<T> sink) {
  const int64_t i = thread_index();
  if (i >= p.B * p.N) {
    return;
  }
  for (int axis = 0; axis < 3; ++axis) {
    p.grad_points[3 * i + axis] = sink.plane(3 * (i / p.N) + axis).sum(static_cast<int32_t>(i % p.N));
  }
}

}  // namespace

template <class T, class Faces>
void launch_soft_backward(const SoftBackward<T>& p, const Faces& faces, CudaStream stream) {
  const char* const what = "visibility_backward";
  ImageGradient<T, T> sums = {};
  sums.grad_samples = p.own, sums.sums = p.not_finite, sums.fixed = p.fixed, sums.largest = p.largest;
  sums.planes = 3 * p.B, sums.pixels = p.N, sums.N = p.N;
  launch_each(what, stream, p.B * p.N, own_gradient_kernel<T, Faces>, p, faces);
  start_image_gradient(what, sums, stream);
  const FixedPointSink<T> sink = fixed_point_sink(sums);
  launch_each(what, stream, p.B * p.N, hand_out_kernel<T, Faces>, p, faces, sink);
  launch_each(what, stream, p.B * p.N, collect_kernel<T>, p, sink);
}

template void launch_soft_backward(const SoftBackward<float>&, const GridFaces&, CudaStream);
template void launch_soft_backward(const SoftBackward<double>&, const GridFaces&, CudaStream);
template void launch_soft_backward(const SoftBackward<float>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_soft_backward(const SoftBackward<float>&, const ListedFaces<int64_t>&, CudaStream);
template void launch_soft_backward(const SoftBackward<double>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_soft_backward(const SoftBackward<double>&, const ListedFaces<int64_t>&, CudaStream);

}  // namespace stn
