// Forward: one pass over the vertices. Backward: one pass that writes grad_vertices and sums the gradient to the
// pose per block of vertices; the blocks' sums are added in block order, whatever the number of threads.
#include "common/tensor.h"
#include "project/project_math.h"

namespace stn {
namespace {

constexpr int64_t kBlock = 1024;  // vertices a task

template <class T>
struct ProjectParams {
  const T* vertices;     // (B, N, 3)
  const T* rotation;     // (B, 3, 3)
  const T* translation;  // (B, 2), forward only
  const T* scale;        // (B,)
  int64_t B, N, blocks;
};

void check_pose(const Tensor& vertices, const Tensor& rotation, const Tensor& scale) {
  require(vertices.dim() == 3 && vertices.size(2) == 3, "project: vertices must be (B, N, 3)");
  require_shape(rotation, {vertices.size(0), 3, 3}, "project: rotation must be (B, 3, 3)");
  require_shape(scale, {vertices.size(0)}, "project: scale must be (B,)");
  require_dtype_of(vertices, {&rotation, &scale}, "project: all arguments must have one dtype");
}

template <class T>
void project_block(const ProjectParams<T>& p, int64_t b, int64_t block, T* points) {
  const Mat3<T> R = load_matrix(p.rotation + 9 * b);
  const T s = p.scale[b];
  const Vec2<T> t = {p.translation[2 * b], p.translation[2 * b + 1]};
  const int64_t end = std::min((block + 1) * kBlock, p.N);
  for (int64_t n = block * kBlock; n < end; ++n) {
    const int64_t at = 3 * (b * p.N + n);
    store3(points + at, project_vertex(R, s, t, load3(p.vertices + at)));
  }
}

Tensor project_cpu(
    const Tensor& vertices_in, const Tensor& rotation_in, const Tensor& translation_in, const Tensor& scale_in) {
  check_pose(vertices_in, rotation_in, scale_in);
  const Tensor vertices = as_contiguous(vertices_in), rotation = as_contiguous(rotation_in);
  const Tensor translation = as_contiguous(translation_in), scale = as_contiguous(scale_in);
  const int64_t B = vertices.size(0), N = vertices.size(1), blocks = (N + kBlock - 1) / kBlock;
  require_shape(translation, {B, 2}, "project: translation must be (B, 2)");
  require_dtype_of(vertices, {&translation}, "project: all arguments must have one dtype");
  const Tensor points = uninitialised(vertices, {B, N, 3});
  dispatch_floating(vertices, "project", [&](auto type) {
    using T = decltype(type);
    const ProjectParams<T> params = {
        pointer<T>(vertices), pointer<T>(rotation), pointer<T>(translation), pointer<T>(scale), B, N, blocks};
    torch::stable::parallel_for(0, B * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        project_block(params, task / blocks, task % blocks, mutable_pointer<T>(points));
      }
    });
  });
  return points;
}

// sum h X^T (3 x 3), sum h . p, sum g_x, sum g_y.
constexpr int64_t kPoseSums = 12;

template <class T>
void project_backward_block(
    const ProjectParams<T>& p, const T* grad_points, int64_t b, int64_t block, T* grad_vertices, double* sums) {
  const Mat3<T> R = load_matrix(p.rotation + 9 * b);
  const T s = p.scale[b];
  const int64_t end = std::min((block + 1) * kBlock, p.N);
  std::fill(sums, sums + kPoseSums, 0.0);
  for (int64_t n = block * kBlock; n < end; ++n) {
    const int64_t at = 3 * (b * p.N + n);
    const Vec3<T> g = load3(grad_points + at), X = load3(p.vertices + at);
    const Vec3<T> h = y_up(g);
    store3(grad_vertices + at, project_vertex_vjp(R, s, h));
    const T h_parts[3] = {h.x, h.y, h.z}, X_parts[3] = {X.x, X.y, X.z};
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) {
        sums[3 * i + j] += static_cast<double>(h_parts[i] * X_parts[j]);
      }
    }
    sums[9] += static_cast<double>(dot(h, R * X));
    sums[10] += static_cast<double>(g.x);
    sums[11] += static_cast<double>(g.y);
  }
}

std::tuple<Tensor, Tensor, Tensor, Tensor> project_backward_cpu(
    const Tensor& grad_points_in, const Tensor& vertices_in, const Tensor& rotation_in, const Tensor& scale_in) {
  check_pose(vertices_in, rotation_in, scale_in);
  const Tensor vertices = as_contiguous(vertices_in), rotation = as_contiguous(rotation_in);
  const Tensor grad_points = as_contiguous(grad_points_in), scale = as_contiguous(scale_in);
  const int64_t B = vertices.size(0), N = vertices.size(1), blocks = (N + kBlock - 1) / kBlock;
  require_shape(grad_points, {B, N, 3}, "project_backward: grad_points must be (B, N, 3)");
  require_dtype_of(vertices, {&grad_points}, "project_backward: all arguments must have one dtype");
  const Tensor grad_vertices = uninitialised(vertices, {B, N, 3});
  const Tensor grad_rotation = uninitialised(vertices, {B, 3, 3});
  const Tensor grad_translation = uninitialised(vertices, {B, 2});
  const Tensor grad_scale = uninitialised(vertices, {B});
  std::vector<double> parts(static_cast<size_t>(B * blocks * kPoseSums));
  dispatch_floating(vertices, "project_backward", [&](auto type) {
    using T = decltype(type);
    const ProjectParams<T> params = {
        pointer<T>(vertices), pointer<T>(rotation), nullptr, pointer<T>(scale), B, N, blocks};
    torch::stable::parallel_for(0, B * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        project_backward_block(
            params, pointer<T>(grad_points), task / blocks, task % blocks, mutable_pointer<T>(grad_vertices),
            parts.data() + task * kPoseSums);
      }
    });
    for (int64_t b = 0; b < B; ++b) {
      double sums[kPoseSums] = {};
      for (int64_t i = 0; i < blocks * kPoseSums; ++i) {
        sums[i % kPoseSums] += parts[static_cast<size_t>(b * blocks * kPoseSums + i)];
      }
      const double s = static_cast<double>(params.scale[b]);
      for (int64_t i = 0; i < 9; ++i) {
        mutable_pointer<T>(grad_rotation)[9 * b + i] = static_cast<T>(s * sums[i]);
      }
      mutable_pointer<T>(grad_scale)[b] = static_cast<T>(sums[9]);
      mutable_pointer<T>(grad_translation)[2 * b] = static_cast<T>(sums[10]);
      mutable_pointer<T>(grad_translation)[2 * b + 1] = static_cast<T>(sums[11]);
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
