// The gradient of soft visibility to the points (docs/math.md#visibility). One thread a vertex finds its own gradient,
// of which its winner's corners get shares, twice: for the largest in the image, and to add it and the shares up. A
// corner gets any number of shares, and pose gradients must be repeatable, so they are always added as pairs of
// integers (sample/image_gradient.h). A sort by corner would be repeatable, too, but costs several passes over all
// vertices, where most have no winner or are past the step. Reads 12 + 8 + 4 bytes a vertex and the corners' 36, both
// times; the sums take 48 + 12 bytes a vertex, written and read. Deterministic.
#include "common/launch.h"
#include "sample/image_gradient_sinks.h"
#include "visibility/mesh_kernels.h"
#include "visibility/visibility_cuda.h"

namespace stn {
namespace {

__device__ __forceinline__ bool load_winner(const GridFaces& faces, int64_t, int64_t, int64_t index, Face& face) {
  const int64_t across = faces.Q - 1;
  if (index < 0 || across < 1 || index / 2 >= across * (faces.P - 1)) {
    return false;
  }
  // Less than N: 32 bits, in which a division is cheap. A row of cells has one less than of vertices.
  const uint32_t cell = static_cast<uint32_t>(index / 2), row = cell / static_cast<uint32_t>(across);
  face = grid_face(static_cast<int32_t>(cell + row), static_cast<int32_t>(faces.Q), static_cast<int32_t>(index % 2));
  return true;
}

template <class Index>
__device__ __forceinline__ bool load_winner(
    const ListedFaces<Index>& faces, int64_t b, int64_t N, int64_t index, Face& face) {
  const Index* list = faces.faces + (faces.per_image ? b * 3 * faces.F : 0);
  return index >= 0 && index < faces.F && load_face(list + 3 * index, N, face);
}

// What one thread's vertex contributes; nothing if it has no winner, does not exist or is far from the step.
template <class T>
struct Contribution {
  int32_t vertex;
  Face face;
  SoftGradient<T> gradient;
};

template <class T, class Faces>
__device__ __forceinline__ Contribution<T> contribution(
    const SoftBackward<T>& p, const Faces& faces, const ImagePart& place) {
  const int64_t n = place.part * kThreads + threadIdx.x, i = place.b * p.N + n;
  const T* points = p.points + 3 * place.b * p.N;
  Contribution<T> c = {static_cast<int32_t>(n), {}, {}};
  if (n < p.N && load_winner(faces, place.b, p.N, p.winner[i], c.face)) {
    c.gradient = soft_visible_vjp(
        p.step, c.face, load3(points + 3 * static_cast<int64_t>(c.face.i)),
        load3(points + 3 * static_cast<int64_t>(c.face.j)), load3(points + 3 * static_cast<int64_t>(c.face.k)),
        load3(points + 3 * n), p.grad_visible[i]);
  }
  return c;
}

template <class T, class Faces>
__global__ void largest_share_kernel(SoftBackward<T> p, Faces faces, uint32_t parts) {
  const ImagePart place = image_part(parts);
  const Vec3<T> own = contribution(p, faces, place).gradient.to_vertex;
  note_largest(larger_of(larger_of(larger_of(T(0), own.x), own.y), own.z), p.sums.largest + place.b);
}

template <class T, class Plane>
__device__ __forceinline__ void add(const Plane& image, int32_t vertex, T factor, Vec3<T> gradient) {
  image.add(3 * vertex, factor * gradient.x);
  image.add(3 * vertex + 1, factor * gradient.y);
  image.add(3 * vertex + 2, factor * gradient.z);
}

template <class T, class Faces>
__global__ void hand_out_kernel(SoftBackward<T> p, Faces faces, FixedPointSink<T, 2> sink, uint32_t parts) {
  const ImagePart place = image_part(parts);
  const Contribution<T> c = contribution(p, faces, place);
  if (c.gradient.to_vertex.z == T(0)) {
    return;
  }
  const auto image = sink.plane(place.b);
  add(image, c.vertex, T(1), c.gradient.to_vertex);
  add(image, c.face.i, -c.gradient.lambda.x, c.gradient.to_vertex);
  add(image, c.face.j, -c.gradient.lambda.y, c.gradient.to_vertex);
  add(image, c.face.k, -c.gradient.lambda.z, c.gradient.to_vertex);
}

}  // namespace

template <class T, class Faces>
void launch_soft_backward(const SoftBackward<T>& p, const Faces& faces, CudaStream stream) {
  const char* const what = "visibility_backward";
  const int64_t parts = ceil_divide(p.N, kThreads);
  zero_image_gradient(what, p.sums, stream);
  launch_parts(stream, p.B, parts, largest_share_kernel<T, Faces>, p, faces, parts);
  launch_parts(stream, p.B, parts, hand_out_kernel<T, Faces>, p, faces, fixed_point_sink(p.sums), parts);
  finish_image_gradient(what, p.sums, stream);
}

template void launch_soft_backward(const SoftBackward<float>&, const GridFaces&, CudaStream);
template void launch_soft_backward(const SoftBackward<double>&, const GridFaces&, CudaStream);
template void launch_soft_backward(const SoftBackward<float>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_soft_backward(const SoftBackward<float>&, const ListedFaces<int64_t>&, CudaStream);
template void launch_soft_backward(const SoftBackward<double>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_soft_backward(const SoftBackward<double>&, const ListedFaces<int64_t>&, CudaStream);

}  // namespace stn
