// The z-buffer of docs/math.md#rasterize. Faces: one thread a face for boxes of few pixels, and afterwards a warp or
// the block for the others that its threads met. At each pixel that it covers a face competes by an atomic maximum: in
// float32 of one 64-bit word, the depth's bits and then, so that the lowest index wins a tie, the complement of the
// index; in float64 of the depth's 64 bits, and in a second pass, among the faces of that depth, of the complement.
// Maxima do not depend on the order, so the result is repeatable; the arithmetic is the CPU's, and this file is
// compiled without contraction (rasterize_math.h), so it is the same in every bit. Pixels: one thread each then looks
// up its face. In float32 moves 24 + 36 bytes a face, little of it twice, and 8 + 8 + 8 + 24 bytes a pixel, with an
// 8-byte atomic for each pixel that a face covers.
#include "rasterize/rasterize_cuda.h"

#include "common/launch.h"
#include "common/ordered_bits.h"
#include "common/teams.h"

namespace stn {
namespace {

constexpr int64_t kAlonePixels = 16;   // that a thread visits by itself
constexpr int64_t kWarpPixels = 2048;  // that one warp visits by itself

using Word = unsigned long long;  // 0: nobody covers the pixel

// Not 0, for an index is less than 2^31.
__device__ __forceinline__ Word complement(int64_t f) {
  return ~static_cast<unsigned int>(f);
}

// How a face competes for a pixel; words and depths are (B, H, W).
struct DepthThenFace {
  Word* words;

  __device__ __forceinline__ void operator()(int64_t pixel, int64_t f, float depth) const {
    atomicMax(words + pixel, static_cast<Word>(ordered_bits(depth)) << 32 | complement(f));
  }
};

struct Depth {
  Word* depths;

  __device__ __forceinline__ void operator()(int64_t pixel, int64_t, double depth) const {
    atomicMax(depths + pixel, ordered_bits(depth));
  }
};

struct FaceOfThatDepth {
  const Word* depths;
  Word* words;

  __device__ __forceinline__ void operator()(int64_t pixel, int64_t f, double depth) const {
    if (depths[pixel] == ordered_bits(depth)) {
      atomicMax(words + pixel, complement(f));
    }
  }
};

// The pixel centres of a face's box.
struct PixelBox {
  Centres columns, rows;

  __device__ __forceinline__ int32_t width() const {
    return columns.last - columns.first + 1;
  }

  __device__ __forceinline__ int64_t pixels() const {
    const bool empty = columns.last < columns.first || rows.last < rows.first;
    return empty ? 0 : static_cast<int64_t>(width()) * (rows.last - rows.first + 1);
  }
};

// Face f with its box. False if it draws nothing.
template <class T, class Index>
__device__ __forceinline__ bool load_drawn(
    const RasterizeParams<T, Index>& p, const ImageMesh<T, Index>& mesh, int64_t f, DrawnFace<T>& drawn,
    PixelBox& box) {
  Face face;
  if (f >= mesh.F || !mesh.load(f, face)) {
    return false;
  }
  const Vec3<T> a = mesh.point(face.i), b = mesh.point(face.j), c = mesh.point(face.k);
  box.columns = centres_between(min3(a.x, b.x, c.x), max3(a.x, b.x, c.x), p.W);
  box.rows = centres_between(min3(a.y, b.y, c.y), max3(a.y, b.y, c.y), p.H);
  return box.pixels() > 0 && prepare_face(face, a, b, c, drawn);
}

// Lets face f compete for the pixels of its box that it covers; a team shares them. `first` is the image's first pixel
// in the batch.
template <class T, class Compete>
__device__ __forceinline__ void draw(
    const DrawnFace<T>& drawn, int64_t f, const PixelBox& box, Team team, int64_t first, int32_t W,
    const Compete& compete) {
  for (BoxSteps step(box.width(), team); step.row <= box.rows.last - box.rows.first; step.next()) {
    const int32_t x = box.columns.first + step.column, y = box.rows.first + step.row;
    const Fragment<T> fragment = fragment_at(drawn, static_cast<T>(x), static_cast<T>(y));
    if (fragment.covered) {
      compete(first + static_cast<int64_t>(y) * W + x, f, fragment.depth);
    }
  }
}

template <class T, class Index, class Compete>
__global__ void __launch_bounds__(kThreads)
    draw_kernel(RasterizeParams<T, Index> p, Compete compete, unsigned blocks_an_image) {
  __shared__ HandedIn handed_in;  // faces of too many pixels for one thread
  const int64_t b = blockIdx.x / blocks_an_image, first_face = blockIdx.x % blocks_an_image * int64_t{kThreads};
  const int64_t first_pixel = b * p.H * p.W;
  const ImageMesh<T, Index> mesh = p.mesh.of_image(b);
  handed_in.clear();
  DrawnFace<T> drawn;
  PixelBox box;
  if (load_drawn(p, mesh, first_face + threadIdx.x, drawn, box)) {
    if (box.pixels() <= kAlonePixels) {
      draw(drawn, first_face + threadIdx.x, box, {1, 0}, first_pixel, p.W, compete);
    } else {
      handed_in.add(static_cast<int32_t>(first_face + threadIdx.x), box.pixels() > kWarpPixels);
    }
  }
  handed_in.take_together([&](int32_t f, Team team) {
    if (load_drawn(p, mesh, f, drawn, box)) {
      draw(drawn, f, box, team, first_pixel, p.W, compete);
    }
  });
}

template <class T, class Index>
__global__ void __launch_bounds__(kThreads)
    rasterize_resolve_kernel(RasterizeParams<T, Index> p, unsigned blocks_an_image) {
  const int64_t b = blockIdx.x / blocks_an_image, pixels = static_cast<int64_t>(p.H) * p.W;
  const int64_t pixel = blockIdx.x % blocks_an_image * int64_t{kThreads} + threadIdx.x;
  if (pixel >= pixels) {
    return;
  }
  const int64_t place = b * pixels + pixel;
  const Word word = static_cast<Word>(p.face[place]);
  int64_t f = -1;
  Fragment<T> fragment = {};
  if (word != 0) {
    f = ~static_cast<unsigned int>(word);
    const ImageMesh<T, Index> mesh = p.mesh.of_image(b);
    Face face;
    DrawnFace<T> drawn;
    mesh.load(f, face);
    prepare_face(face, mesh.point(face.i), mesh.point(face.j), mesh.point(face.k), drawn);
    const int32_t y = static_cast<int32_t>(pixel) / p.W, x = static_cast<int32_t>(pixel) % p.W;
    fragment = fragment_at(drawn, static_cast<T>(x), static_cast<T>(y));
  }
  p.face[place] = f;
  p.depth[place] = fragment.depth;
  store3(p.barycentric + 3 * place, {fragment.a, fragment.b, fragment.c});
}

}  // namespace

template <class T, class Index>
void launch_rasterize(const RasterizeParams<T, Index>& params, CudaStream stream) {
  const char* const what = "rasterize";
  const int64_t B = params.mesh.B, pixels = static_cast<int64_t>(params.H) * params.W;
  if (B * pixels == 0) {
    return;
  }
  const int64_t parts = ceil_divide(params.mesh.F, kThreads), blocks = ceil_divide(pixels, kThreads);
  const auto draw_all = [&](auto compete) {
    const auto kernel = draw_kernel<T, Index, decltype(compete)>;
    launch(what, stream, B * parts, kernel, params, compete, static_cast<unsigned>(parts));
  };
  Word* const words = reinterpret_cast<Word*>(params.face);
  fill_zero(what, stream, words, B * pixels * static_cast<int64_t>(sizeof(Word)));
  if constexpr (sizeof(T) == sizeof(float)) {
    draw_all(DepthThenFace{words});
  } else {
    Word* const depths = reinterpret_cast<Word*>(params.depth);
    fill_zero(what, stream, depths, B * pixels * static_cast<int64_t>(sizeof(Word)));
    draw_all(Depth{depths});
    draw_all(FaceOfThatDepth{depths, words});
  }
  launch(what, stream, B * blocks, rasterize_resolve_kernel<T, Index>, params, static_cast<unsigned>(blocks));
}

template void launch_rasterize(const RasterizeParams<float, int32_t>&, CudaStream);
template void launch_rasterize(const RasterizeParams<float, int64_t>&, CudaStream);
template void launch_rasterize(const RasterizeParams<double, int32_t>&, CudaStream);
template void launch_rasterize(const RasterizeParams<double, int64_t>&, CudaStream);

}  // namespace stn
