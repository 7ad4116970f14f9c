// The gradient of soft visibility to the points: one task an image, in vertex order. A corner of a large triangle sums
// over all vertices behind it, so sums are kept in double.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")  // visibility_math.h
#endif

#include <vector>

#include "visibility/mesh_cpu.h"
#include "visibility/visibility_cpu.h"

namespace stn {
namespace {

template <class T>
void add_scaled(T factor, Vec3<T> gradient, int64_t vertex, double* sums) {
  double* sum = sums + 3 * vertex;
  sum[0] += static_cast<double>(factor * gradient.x);
  sum[1] += static_cast<double>(factor * gradient.y);
  sum[2] += static_cast<double>(factor * gradient.z);
}

}  // namespace

template <class T>
void soft_visibility_backward(
    const T* grad_visible, const T* points, int64_t N, const Mesh& mesh, const int64_t* winner, SoftStep<T> step,
    T* grad_points) {
  std::vector<double> sums(static_cast<size_t>(3 * N), 0.0);
  const auto point = [points](int64_t n) { return load3(points + 3 * n); };
  for (int64_t n = 0; n < N; ++n) {
    Face face;
    if (!load_mesh_face(mesh, N, winner[n], face)) {
      continue;
    }
    const SoftGradient<T> grad =
        soft_visible_vjp(step, face, point(face.i), point(face.j), point(face.k), point(n), grad_visible[n]);
    add_scaled(T(1), grad.to_vertex, n, sums.data());
    add_scaled(-grad.lambda.x, grad.to_vertex, face.i, sums.data());
    add_scaled(-grad.lambda.y, grad.to_vertex, face.j, sums.data());
    add_scaled(-grad.lambda.z, grad.to_vertex, face.k, sums.data());
  }
  for (int64_t i = 0; i < 3 * N; ++i) {
    grad_points[i] = static_cast<T>(sums[static_cast<size_t>(i)]);
  }
}

template void soft_visibility_backward(
    const float*, const float*, int64_t, const Mesh&, const int64_t*, SoftStep<float>, float*);
template void soft_visibility_backward(
    const double*, const double*, int64_t, const Mesh&, const int64_t*, SoftStep<double>, double*);

namespace {

Tensor visibility_backward_cpu(
    const Tensor& grad_visible, const Tensor& points, const std::optional<Tensor>& faces, const Tensor& winner,
    int64_t P, int64_t Q, double tolerance, double temperature) {
  const VisibilityInputs in(points, faces, P, Q);
  const VisibilityGradients grads(in, grad_visible, winner);
  const Tensor grad_points = uninitialised(in.points, {in.B, in.N, 3});
  dispatch_floating(in.points, "visibility_backward", [&](auto type) {
    using T = decltype(type);
    torch::stable::parallel_for(0, in.B, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        soft_visibility_backward(
            pointer<T>(grads.visible) + b * in.N, pointer<T>(in.points) + 3 * b * in.N, in.N, mesh_of_image(in, b),
            pointer<int64_t>(grads.winner) + b * in.N, soft_step<T>(tolerance, temperature),
            mutable_pointer<T>(grad_points) + 3 * b * in.N);
      }
    });
  });
  return grad_points;
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("visibility_backward", TORCH_BOX(&stn::visibility_backward_cpu));
}
