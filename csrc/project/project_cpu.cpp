// Forward: one pass over the vertices. Backward: one pass that writes grad_vertices and sums the gradient to the
// pose per block of vertices; the blocks' sums are added in block order, whatever the number of threads.
#include "project/project_inputs.h"
#include "project/project_math.h"

namespace stn {
namespace {

constexpr int64_t kBlock = 1024;  // vertices a task

template <class T>
struct ProjectTask {
  const T* vertices;     // (B, N, 3)
  const T* rotation;     // (B, 3, 3)
  const T* translation;  // (B, 2), forward only
  const T* scale;        // (B,)
  int64_t N;
};

template <class T>
void project_block(const ProjectTask<T>& p, int64_t b, int64_t block, T* points) {
  const Mat3<T> R = load_matrix(p.rotation + 9 * b);
  const T s = p.scale[b];
  const Vec2<T> t = {p.translation[2 * b], p.translation[2 * b + 1]};
  const int64_t end = std::min((block + 1) * kBlock, p.N);
  for (int64_t n = block * kBlock; n < end; ++n) {
    const int64_t at = 3 * (b * p.N + n);
    store3(points + at, project_vertex(R, s, t, load3(p.vertices + at)));
  }
}

Tensor project_cpu(const Tensor& vertices, const Tensor& rotation, const Tensor& translation_in, const Tensor& scale) {
  const ProjectInputs in(vertices, rotation, scale);
  const ProjectTranslation translation(in, translation_in);
  const int64_t blocks = (in.N + kBlock - 1) / kBlock;
  const Tensor points = uninitialised(in.vertices, {in.B, in.N, 3});
  dispatch_floating(in.vertices, "project", [&](auto type) {
    using T = decltype(type);
    const ProjectTask<T> params = {
        pointer<T>(in.vertices), pointer<T>(in.rotation), pointer<T>(translation.translation), pointer<T>(in.scale),
        in.N};
    torch::stable::parallel_for(0, in.B * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        project_block(params, task / blocks, task % blocks, mutable_pointer<T>(points));
      }
    });
  });
  return points;
}

template <class T>
void project_backward_block(
    const ProjectTask<T>& p, const T* grad_points, int64_t b, int64_t block, T* grad_vertices, double* sums) {
  const Mat3<T> R = load_matrix(p.rotation + 9 * b);
  const T s = p.scale[b];
  const int64_t end = std::min((block + 1) * kBlock, p.N);
  std::fill(sums, sums + kPoseSums, 0.0);
  for (int64_t n = block * kBlock; n < end; ++n) {
    const int64_t at = 3 * (b * p.N + n);
    const Vec3<T> g = load3(grad_points + at), X = load3(p.vertices + at);
    store3(grad_vertices + at, project_vertex_vjp(R, s, y_up(g)));
    add_pose_terms(R, g, X, sums);
  }
}

std::tuple<Tensor, Tensor, Tensor, Tensor> project_backward_cpu(
    const Tensor& grad_points, const Tensor& vertices, const Tensor& rotation, const Tensor& scale) {
  const ProjectInputs in(vertices, rotation, scale);
  const ProjectGradient grad(in, grad_points);
  const int64_t B = in.B, blocks = (in.N + kBlock - 1) / kBlock;
  const Tensor grad_vertices = uninitialised(in.vertices, {B, in.N, 3});
  const Tensor grad_rotation = uninitialised(in.vertices, {B, 3, 3});
  const Tensor grad_translation = uninitialised(in.vertices, {B, 2});
  const Tensor grad_scale = uninitialised(in.vertices, {B});
  std::vector<double> parts(static_cast<size_t>(B * blocks * kPoseSums));
  dispatch_floating(in.vertices, "project_backward", [&](auto type) {
    using T = decltype(type);
    const ProjectTask<T> params = {
        pointer<T>(in.vertices), pointer<T>(in.rotation), nullptr, pointer<T>(in.scale), in.N};
    torch::stable::parallel_for(0, B * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        project_backward_block(
            params, pointer<T>(grad.points), task / blocks, task % blocks, mutable_pointer<T>(grad_vertices),
            parts.data() + task * kPoseSums);
      }
    });
    const ProjectPoseGradients<T> out = {
        mutable_pointer<T>(grad_rotation), mutable_pointer<T>(grad_translation), mutable_pointer<T>(grad_scale)};
    for (int64_t b = 0; b < B; ++b) {
      double sums[kPoseSums] = {};
      for (int64_t i = 0; i < blocks * kPoseSums; ++i) {
        sums[i % kPoseSums] += parts[static_cast<size_t>(b * blocks * kPoseSums + i)];
      }
      for (int64_t i = 0; i < kPoseSums; ++i) {
        store_pose_gradient(out, b, i, sums[i], params.scale[b]);
      }
    }
  });
  return {grad_vertices, grad_rotation, grad_translation, grad_scale};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("project", TORCH_BOX(&stn::project_cpu));
  library.impl("project_backward", TORCH_BOX(&stn::project_backward_cpu));
}
