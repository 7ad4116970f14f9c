// The operator visibility on CUDA tensors, and its like for warp; the kernels are in bins_cuda.cu, facing_cuda.cu,
// crowds_cuda.cu, hide_cuda.cu, soften_cuda.cu and visibility_backward_cuda.cu. Everything is launched on one stream,
// in sizes that the arguments' shapes give.
#include "visibility/visibility_cuda.h"

#include <array>
#include <cmath>

#include "common/cuda_device.h"
#include "sample/image_gradient_memory.h"
#include "visibility/hide_vertices.h"
#include "visibility/visibility_inputs.h"

namespace stn {
namespace {

Tensor uninitialised_integers(const Tensor& like, std::initializer_list<int64_t> shape) {
  return uninitialised(like, shape, ScalarType::Int);
}

// Owns what ScreenBins points into, with about one vertex a cell.
class BinMemory {
 public:
  BinMemory(const Tensor& points, int64_t B, int64_t N)
      : side_(static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(N))))),
        axes_(uninitialised(points, {B, 2, 2})), starts_(uninitialised_integers(points, {B, side_, side_ + 1})),
        claimed_(uninitialised_integers(points, {B})), ranks_(uninitialised_integers(points, {B, N})),
        sorted_(uninitialised(points, {B, N, 4})), crowd_count_(uninitialised_integers(points, {1})),
        crowd_cells_(uninitialised(points, {B, N / kCrowd}, ScalarType::Long)),
        crowd_vertices_(uninitialised_integers(points, {B, N})),
        crowd_boxes_(uninitialised(points, {B * N / kCrowdBoxRoom + 1, 5})) {
    // Threads that take turns step beyond the last candidate before they look.
    require(
        N <= std::numeric_limits<int32_t>::max() - 1024, "visibility: at most 2^31 - 1025 vertices an image on CUDA");
  }

  template <class T>
  ScreenBins<T> bins() const {
    static_assert(sizeof(ScreenAxis<T>) == 2 * sizeof(T) && sizeof(ScreenVertex<T>) == 4 * sizeof(T));
    static_assert(sizeof(CrowdBox<T>) == 5 * sizeof(T));
    return {
        static_cast<int32_t>(side_),
        mutable_pointer<ScreenAxis<T>>(axes_),
        mutable_pointer<int32_t>(starts_),
        mutable_pointer<int32_t>(claimed_),
        mutable_pointer<int32_t>(ranks_),
        mutable_pointer<ScreenVertex<T>>(sorted_),
        {mutable_pointer<int32_t>(crowd_count_), mutable_pointer<int64_t>(crowd_cells_),
         mutable_pointer<int32_t>(crowd_vertices_), mutable_pointer<CrowdBox<T>>(crowd_boxes_)}};
  }

 private:
  int64_t side_;
  Tensor axes_, starts_, claimed_, ranks_, sorted_, crowd_count_, crowd_cells_, crowd_vertices_, crowd_boxes_;
};

// Owns what ListedFaces points into; not `sorted`, the faces alone.
class FacesByVertex {
 public:
  FacesByVertex(const VisibilityInputs& in, bool sorted) : in_(in), sorted_(sorted && in.F > 0) {
    require(in.F <= std::numeric_limits<int32_t>::max() / 3, "visibility: at most (2^31 - 1) / 3 faces an image");
    const int64_t lists = in.per_image ? in.B : 1;
    first_ = uninitialised_integers(in.points, {sorted ? lists : 0, in.N + 1});
    if (sorted_) {
      sort(torch::stable::view(*in.faces, {lists, 3 * in.F}));
    }
  }

  template <class Index>
  ListedFaces<Index> listed() const {
    const bool some = in_.F > 0;
    return {
        some ? pointer<Index>(*in_.faces) : nullptr,
        in_.F,
        in_.per_image,
        sorted_ ? pointer<Index>(vertices_) : nullptr,
        sorted_ ? pointer<int64_t>(corners_) : nullptr,
        mutable_pointer<int32_t>(first_)};
  }

 private:
  // Stable: corners of one vertex stay in ascending order.
  void sort(const Tensor& flattened) {
    using torch::stable::detail::from;
    std::array<StableIValue, 4> stack = {
        from(flattened), from(std::optional<bool>(true)), from(int64_t{-1}), from(false)};
    STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("aten::sort", "stable", stack.data(), TORCH_ABI_VERSION));
    vertices_ = torch::stable::detail::to<Tensor>(stack[0]);
    corners_ = torch::stable::detail::to<Tensor>(stack[1]);
  }

  const VisibilityInputs& in_;
  bool sorted_;
  Tensor vertices_, corners_, first_;
};

// f(Faces) with the triangles in the form that kernels take. `sorted` also by vertex, for launch_facing.
template <class F>
void with_faces(const VisibilityInputs& in, bool sorted, const F& f) {
  if (!in.faces.has_value()) {
    f(GridFaces{in.P, in.Q});
  } else if (const FacesByVertex by_vertex(in, sorted); in.wide) {
    f(by_vertex.listed<int64_t>());
  } else {
    f(by_vertex.listed<int32_t>());
  }
}

// What a call wants: soft visibility if `winner` is given.
struct Choice {
  double tolerance, temperature;
  const Tensor* winner;
};

// `visible` (B, N) by hard or soft visibility; if not `fresh`, vertices where it is 0 stay 0 and cost little.
void find_visibility(
    const VisibilityInputs& in, const Choice& choice, bool fresh, const Tensor& visible, CudaStream stream) {
  if (in.B * in.N == 0) {
    return;
  }
  const BinMemory memory(in.points, in.B, in.N);
  dispatch_floating(in.points, "visibility", [&](auto type) {
    using T = decltype(type);
    const SoftStep<T> step = soft_step<T>(choice.tolerance, choice.temperature);
    const VisibilityParams<T> params = {pointer<T>(in.points), mutable_pointer<T>(visible), fresh, in.B, in.N,
                                        step.tolerance,        memory.template bins<T>()};
    with_faces(in, true, [&](const auto& faces) {
      launch_place(params, stream);
      launch_facing(params, faces, stream);
      launch_sort(params, stream);
      launch_order(params, stream);
      if (choice.winner == nullptr) {
        launch_hide(params, faces, stream);
        return;
      }
      const bool wide = sizeof(T) == sizeof(double);
      const Tensor deepest = uninitialised(in.points, {wide ? in.B * in.N : 0}, ScalarType::Long);
      const SoftParams<T> soft = {
          params, step, mutable_pointer<unsigned long long>(*choice.winner),
          mutable_pointer<unsigned long long>(deepest)};
      launch_soften(soft, faces, stream);
    });
  });
}

Tensor soft_backward(
    const VisibilityInputs& in, const VisibilityGradients& grads, double tolerance, double temperature,
    CudaStream stream) {
  const PointGradientMemory memory(in.points, true, "visibility_backward: at most (2^31 - 1) / 3 vertices on CUDA");
  if (in.B * in.N == 0) {
    return memory.grad_points;
  }
  dispatch_floating(in.points, "visibility_backward", [&](auto type) {
    using T = decltype(type);
    const SoftBackward<T> params = {
        pointer<T>(grads.visible),
        pointer<T>(in.points),
        pointer<int64_t>(grads.winner),
        soft_step<T>(tolerance, temperature),
        in.B,
        in.N,
        memory.gradient<T>(in.N)};
    with_faces(in, false, [&](const auto& faces) { launch_soft_backward(params, faces, stream); });
  });
  return memory.grad_points;
}

std::tuple<Tensor, Tensor> visibility_cuda(
    const Tensor& points, const std::optional<Tensor>& faces, int64_t P, int64_t Q, const std::string& mode,
    double tolerance, double temperature) {
  const OnDevice device("visibility", {&points, faces.has_value() ? &*faces : &points});
  const VisibilityInputs in(points, faces, P, Q);
  const bool soft = is_soft("visibility", mode);
  const Tensor visible = uninitialised(in.points, {in.B, in.N}), winner = uninitialised_winner(in, soft);
  find_visibility(in, {tolerance, temperature, soft ? &winner : nullptr}, true, visible, device.stream());
  return {visible, winner};
}

Tensor visibility_backward_cuda(
    const Tensor& grad_visible, const Tensor& points, const std::optional<Tensor>& faces, const Tensor& winner,
    int64_t P, int64_t Q, double tolerance, double temperature) {
  const OnDevice device(
      "visibility_backward", {&points, &grad_visible, &winner, faces.has_value() ? &*faces : &points});
  const VisibilityInputs in(points, faces, P, Q);
  const VisibilityGradients grads(in, grad_visible, winner);
  return soft_backward(in, grads, tolerance, temperature, device.stream());
}

}  // namespace

void hide_grid_vertices(
    const Tensor& points, int64_t P, int64_t Q, double tolerance, const Tensor& mask, CudaStream stream) {
  find_visibility(VisibilityInputs(points, {}, P, Q), {tolerance, 1.0, nullptr}, false, mask, stream);
}

void soften_grid_vertices(
    const Tensor& points, int64_t P, int64_t Q, double tolerance, double temperature, const Tensor& mask,
    const Tensor& winner, CudaStream stream) {
  find_visibility(VisibilityInputs(points, {}, P, Q), {tolerance, temperature, &winner}, false, mask, stream);
}

Tensor soft_grid_backward(
    const Tensor& grad_mask, const Tensor& points, const Tensor& winner, int64_t P, int64_t Q, double tolerance,
    double temperature, CudaStream stream) {
  const VisibilityInputs in(points, {}, P, Q);
  return soft_backward(in, VisibilityGradients(in, grad_mask, winner), tolerance, temperature, stream);
}

}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("visibility", TORCH_BOX(&stn::visibility_cuda));
  library.impl("visibility_backward", TORCH_BOX(&stn::visibility_backward_cuda));
}
