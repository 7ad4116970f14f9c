// Forward: every task draws its own rows of one image, walking the faces in ascending order, so that of equal depths
// the first stays. Backward: every task adds up the gradients of its own vertices, walking the pixels in order. So
// results are repeatable whatever the number of tasks.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")  // rasterize_math.h
#endif

#include <algorithm>
#include <numeric>
#include <vector>

#include "rasterize/rasterize_inputs.h"

#define STN_KERNELS "rasterize/rasterize_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {
namespace {

constexpr int32_t kStripe = 16;  // rows that stay with one task, so that few faces are drawn by two
constexpr int32_t kRowBlock = 64;
constexpr int32_t kVectorRow = 6;  // columns from which a face's row is worth vector code

// The rows of an image that one of `parts` tasks draws: stripes in turn, for faces crowd in the middle of an image.
class OwnRows {
 public:
  OwnRows(int32_t H, int64_t part, int64_t parts) : next_(static_cast<size_t>(H) + 1, H) {
    for (int32_t y = H - 1; y >= 0; --y) {
      next_[static_cast<size_t>(y)] = y / kStripe % parts == part ? y : next_[static_cast<size_t>(y) + 1];
    }
  }

  // The first of them from y on, y <= H; H if there is none.
  int32_t from(int32_t y) const {
    return next_[static_cast<size_t>(y)];
  }

 private:
  std::vector<int32_t> next_;
};

// What the pixels of an image show.
template <class T>
struct Picture {
  int64_t* face;   // (H, W)
  T* barycentric;  // (H, W, 3)
  T* depth;        // (H, W)
  int32_t H, W;
};

// f(y) for those of the rows that are the task's own.
template <class F>
void for_each_row(const OwnRows& own, Centres rows, const F& f) {
  for (int32_t y = own.from(rows.first); y <= rows.last; y = own.from(y + 1)) {
    f(y);
  }
}

// One face over one row of a picture. What lies behind the face's nearest corner costs no test.
template <class T>
void draw_pixels(const DrawnFace<T>& drawn, int64_t f, Centres columns, int32_t y, const Picture<T>& picture) {
  const int64_t start = static_cast<int64_t>(y) * picture.W;
  for (int32_t x = columns.first; x <= columns.last; ++x) {
    T& depth = picture.depth[start + x];
    if (drawn.nearest > depth) {
      const Fragment<T> fragment = fragment_at(drawn, static_cast<T>(x), static_cast<T>(y));
      if (fragment.covered && fragment.depth > depth) {
        depth = fragment.depth;
        picture.face[start + x] = f;
        store3(picture.barycentric + 3 * (start + x), {fragment.a, fragment.b, fragment.c});
      }
    }
  }
}

// The same for many pixels: vector code finds those that the face wins.
template <class T>
void draw_row(const DrawnFace<T>& drawn, int64_t f, Centres columns, int32_t y, const Picture<T>& picture) {
  static const auto kernel = STN_CHOOSE_KERNEL(face_depths<T>);
  T depths[kRowBlock];
  for (int32_t first = columns.first; first <= columns.last; first += kRowBlock) {
    const int32_t n = std::min(columns.last + 1 - first, kRowBlock);
    const T* before = picture.depth + static_cast<int64_t>(y) * picture.W + first;
    kernel(drawn, first, static_cast<T>(y), n, depths);
    for (int32_t i = 0; i < n; ++i) {
      if (depths[i] > before[i]) {
        draw_pixels(drawn, f, {first + i, first + i}, y, picture);
      }
    }
  }
}

template <class T, class Index>
void draw_face(const ImageMesh<T, Index>& mesh, int64_t f, const OwnRows& own, const Picture<T>& picture) {
  Face face;
  if (!mesh.load(f, face)) {
    return;
  }
  const Vec3<T> a = mesh.point(face.i), b = mesh.point(face.j), c = mesh.point(face.k);
  const Centres rows = centres_between(min3(a.y, b.y, c.y), max3(a.y, b.y, c.y), picture.H);
  const Centres columns = centres_between(min3(a.x, b.x, c.x), max3(a.x, b.x, c.x), picture.W);
  DrawnFace<T> drawn;
  if (own.from(rows.first) > rows.last || columns.first > columns.last || !prepare_face(face, a, b, c, drawn)) {
    return;
  }
  const auto draw = columns.last - columns.first < kVectorRow ? draw_pixels<T> : draw_row<T>;
  for_each_row(own, rows, [&](int32_t y) { draw(drawn, f, columns, y, picture); });
}

template <class T, class Index>
void rasterize_rows(const ImageMesh<T, Index>& mesh, const OwnRows& own, const Picture<T>& picture) {
  constexpr T nothing = -std::numeric_limits<T>::infinity();
  const Centres all = {0, picture.H - 1};
  for_each_row(own, all, [&](int32_t y) {
    const int64_t start = static_cast<int64_t>(y) * picture.W, end = start + picture.W;
    std::fill(picture.depth + start, picture.depth + end, nothing);
    std::fill(picture.face + start, picture.face + end, int64_t(-1));
    std::fill(picture.barycentric + 3 * start, picture.barycentric + 3 * end, T(0));
  });
  for (int64_t f = 0; f < mesh.F; ++f) {
    draw_face(mesh, f, own, picture);
  }
  for_each_row(own, all, [&](int32_t y) {
    T* depth = picture.depth + static_cast<int64_t>(y) * picture.W;
    std::replace(depth, depth + picture.W, nothing, T(0));
  });
}

// f(b, part, parts) for every image and part of it: as few parts as keep all threads equally busy, for each of them
// walks through the whole image.
template <class F>
void for_each_part(int64_t B, const F& f) {
  const int64_t threads = torch::stable::get_num_threads();
  const int64_t parts = B >= 4 * threads ? 1 : threads / std::gcd(B, threads);
  torch::stable::parallel_for(0, B * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      f(task / parts, task % parts, parts);
    }
  });
}

template <class T, class Index>
ImageMesh<T, Index> image_mesh(const RasterizeInputs& in, int64_t b) {
  return {pointer<T>(in.points) + 3 * b * in.N, pointer<Index>(in.faces) + b * in.face_stride, in.N, in.F};
}

std::tuple<Tensor, Tensor, Tensor> rasterize_cpu(
    const Tensor& points_in, const Tensor& faces_in, int64_t H, int64_t W) {
  const RasterizeInputs in(points_in, faces_in, H, W);
  const Tensor face = uninitialised(in.points, {in.B, H, W}, ScalarType::Long);
  const Tensor barycentric = uninitialised(in.points, {in.B, H, W, 3}), depth = uninitialised(in.points, {in.B, H, W});
  dispatch_rasterize(in, "rasterize", [&](auto type, auto index_type) {
    using T = decltype(type);
    using Index = decltype(index_type);
    for_each_part(in.B, [&](int64_t b, int64_t part, int64_t parts) {
      const int64_t start = b * H * W;
      const Picture<T> picture = {
          mutable_pointer<int64_t>(face) + start, mutable_pointer<T>(barycentric) + 3 * start,
          mutable_pointer<T>(depth) + start, static_cast<int32_t>(H), static_cast<int32_t>(W)};
      rasterize_rows(image_mesh<T, Index>(in, b), OwnRows(picture.H, part, parts), picture);
    });
  });
  return {barycentric, depth, face};
}

// Adds to grad_points (N, 3), for the vertices first <= n < last, what the pixels say.
template <class T, class Index>
void add_gradients(
    const ImageMesh<T, Index>& mesh, const PictureGradients<T>& gradients, int64_t pixels, int64_t first, int64_t last,
    T* grad_points) {
  const auto own = [first, last](int32_t vertex) { return vertex >= first && vertex < last; };
  const auto add = [&](int32_t vertex, Vec3<T> grad) {
    if (own(vertex)) {
      T* sum = grad_points + 3 * static_cast<int64_t>(vertex);
      store3(sum, load3(sum) + grad);
    }
  };
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    Face face;
    if (gradients.load(mesh, pixel, face) && (own(face.i) || own(face.j) || own(face.k))) {
      const CornerGradients<T> grads = gradients.to_corners(mesh, pixel, face);
      add(face.i, grads.a);
      add(face.j, grads.b);
      add(face.k, grads.c);
    }
  }
}

Tensor rasterize_backward_cpu(
    const std::optional<Tensor>& grad_barycentric, const std::optional<Tensor>& grad_depth, const Tensor& points_in,
    const Tensor& faces_in, const Tensor& face, const Tensor& barycentric, bool /*deterministic*/) {
  require(face.dim() == 3, "rasterize_backward: face must be (B, H, W)");
  const RasterizeInputs in(points_in, faces_in, face.size(1), face.size(2));
  const RasterizeGradients gradients(in, face, barycentric, grad_barycentric, grad_depth);
  const Tensor grad_points = uninitialised(in.points, {in.B, in.N, 3});
  dispatch_rasterize(in, "rasterize_backward", [&](auto type, auto index_type) {
    using T = decltype(type);
    using Index = decltype(index_type);
    for_each_part(in.B, [&](int64_t b, int64_t part, int64_t parts) {
      const int64_t pixels = in.H * in.W;
      const int64_t first = in.N * part / parts, last = in.N * (part + 1) / parts;
      T* grads = mutable_pointer<T>(grad_points) + 3 * b * in.N;
      std::fill(grads + 3 * first, grads + 3 * last, T(0));
      add_gradients(image_mesh<T, Index>(in, b), gradients.from_image<T>(b, pixels), pixels, first, last, grads);
    });
  });
  return grad_points;
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("rasterize", TORCH_BOX(&stn::rasterize_cpu));
  library.impl("rasterize_backward", TORCH_BOX(&stn::rasterize_backward_cpu));
}
