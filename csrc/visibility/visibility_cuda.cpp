// The operator visibility on CUDA tensors, and its like for warp; the kernels are in bins_cuda.cu, facing_cuda.cu and
// hide_cuda.cu. Everything is launched on one stream, in sizes that the arguments' shapes give.
#include "visibility/visibility_cuda.h"

#include <array>
#include <cmath>

#include "common/cuda_device.h"
#include "visibility/hide_vertices.h"
#include "visibility/visibility_inputs.h"

namespace stn {
namespace {

Tensor uninitialised_integers(const Tensor& like, std::initializer_list<int64_t> shape) {
  return torch::stable::new_empty(like, std::vector<int64_t>(shape), ScalarType::Int);
}

// Owns what ScreenBins points into, with about one vertex a cell.
class BinMemory {
 public:
  BinMemory(const Tensor& points, int64_t B, int64_t N)
      : side_(static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(N))))),
        axes_(uninitialised(points, {B, 2, 2})), starts_(uninitialised_integers(points, {B, side_, side_ + 1})),
        claimed_(uninitialised_integers(points, {B})), ranks_(uninitialised_integers(points, {B, N})),
        sorted_(uninitialised(points, {B, N, 4})) {
    // Threads that share a row step beyond its end before they look.
    require(N <= std::numeric_limits<int32_t>::max() - 512, "visibility: at most 2^31 - 513 vertices an image on CUDA");
  }

  template <class T>
  ScreenBins<T> bins() const {
    static_assert(sizeof(ScreenAxis<T>) == 2 * sizeof(T) && sizeof(ScreenVertex<T>) == 4 * sizeof(T));
    return {static_cast<int32_t>(side_),       static_cast<ScreenAxis<T>*>(axes_.mutable_data_ptr()),
            mutable_pointer<int32_t>(starts_), mutable_pointer<int32_t>(claimed_),
            mutable_pointer<int32_t>(ranks_),  static_cast<ScreenVertex<T>*>(sorted_.mutable_data_ptr())};
  }

 private:
  int64_t side_;
  Tensor axes_, starts_, claimed_, ranks_, sorted_;
};

// Owns what ListedFaces points into.
class FacesByVertex {
 public:
  explicit FacesByVertex(const VisibilityInputs& in) : in_(in) {
    require(in.F <= std::numeric_limits<int32_t>::max() / 3, "visibility: at most (2^31 - 1) / 3 faces an image");
    const int64_t lists = in.per_image ? in.B : 1;
    first_ = uninitialised_integers(in.points, {lists, in.N + 1});
    if (in.F > 0) {
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
        some ? pointer<Index>(vertices_) : nullptr,
        some ? pointer<int64_t>(corners_) : nullptr,
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
  Tensor vertices_, corners_, first_;
};

template <class T, class Faces>
void launch_visibility(const VisibilityParams<T>& params, const Faces& faces, CudaStream stream) {
  launch_place(params, stream);
  launch_facing(params, faces, stream);
  launch_sort(params, stream);
  launch_hide(params, faces, stream);
}

Tensor visibility_cuda(
    const Tensor& points, const std::optional<Tensor>& faces, int64_t P, int64_t Q, double tolerance) {
  const OnDevice device("visibility", {&points, faces.has_value() ? &*faces : &points});
  const VisibilityInputs in(points, faces, P, Q);
  const Tensor visible = uninitialised(in.points, {in.B, in.N});
  if (in.B * in.N == 0) {
    return visible;
  }
  const BinMemory memory(in.points, in.B, in.N);
  dispatch_floating(in.points, "visibility", [&](auto type) {
    using T = decltype(type);
    const VisibilityParams<T> params = {pointer<T>(in.points),     mutable_pointer<T>(visible), true, in.B, in.N,
                                        static_cast<T>(tolerance), memory.template bins<T>()};
    if (!in.faces.has_value()) {
      launch_visibility(params, GridFaces{in.P, in.Q}, device.stream());
    } else if (const FacesByVertex by_vertex(in); in.wide) {
      launch_visibility(params, by_vertex.listed<int64_t>(), device.stream());
    } else {
      launch_visibility(params, by_vertex.listed<int32_t>(), device.stream());
    }
  });
  return visible;
}

}  // namespace

void hide_grid_vertices(
    const Tensor& points, int64_t P, int64_t Q, double tolerance, const Tensor& mask, CudaStream stream) {
  const int64_t B = points.size(0), N = points.size(1);
  if (B * N == 0) {
    return;
  }
  const BinMemory memory(points, B, N);
  dispatch_floating(points, "visibility", [&](auto type) {
    using T = decltype(type);
    const VisibilityParams<T> params = {pointer<T>(points),        mutable_pointer<T>(mask), false, B, N,
                                        static_cast<T>(tolerance), memory.template bins<T>()};
    launch_visibility(params, GridFaces{P, Q}, stream);
  });
}

}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("visibility", TORCH_BOX(&stn::visibility_cuda));
}
