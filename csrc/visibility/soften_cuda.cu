// Soft visibility (docs/math.md#visibility): the winner of every candidate, among all triangles that cover it, and the
// step. Triangles meet candidates as in hide_cuda.cu, but none can be left out for lying deep: a maximum over 64-bit
// integers, the same in any order, finds the largest depth and the lowest face that has it. In float32 both fit into
// one integer and one walk does; in float64 a second walk looks for the face. Depths are the CPU's in every bit, and so
// are winners. This file must be compiled without contraction (visibility_math.h).
#include "common/ordered_bits.h"
#include "visibility/occluder_walk.h"
#include "visibility/visibility_cuda.h"

namespace stn {
namespace {

using Key = unsigned long long;

constexpr Key kFaces = Key{1} << 32;  // more than there are

// What is stored of a face: more for a lower index, never 0.
__device__ __forceinline__ Key face_key(int32_t face) {
  return kFaces - 1 - static_cast<uint32_t>(face);
}

__device__ __forceinline__ int64_t face_of(Key key) {
  return static_cast<int64_t>(kFaces - 1 - key);
}

// What a triangle does to the vertices that it covers. f(vertex, depth, face) is Offer's.
template <class T, class Offer>
struct Offering {
  Offer offer;

  __device__ __forceinline__ T nearest(T) const {
    return static_cast<T>(HUGE_VAL);
  }

  template <class Occluder>
  __device__ __forceinline__ void meet(const Occluder& occluder, const ScreenVertex<T>& candidate) const {
    occluder.for_each_depth(candidate, [&](T depth, int32_t face) { offer(candidate.vertex, depth, face); });
  }

  template <class Cell, class Quad>
  __device__ __forceinline__ void meet_far_corner(const Cell& cell, const Quad& quad, int which) const {
    if (T depth; quad.covers(which, quad.far_corner(which), depth)) {
      offer(cell.far_corner(which), depth, cell.face_index(which));
    }
  }
};

// Depth and face in one.
struct OfferBoth {
  Key* winner;  // (N)

  __device__ __forceinline__ void operator()(int32_t vertex, float depth, int32_t face) const {
    if (depth == depth) {
      atomicMax(winner + vertex, Key{ordered_bits(depth)} << 32 | face_key(face));
    }
  }
};

struct OfferDepth {
  Key* deepest;  // (N)

  __device__ __forceinline__ void operator()(int32_t vertex, double depth, int32_t) const {
    if (depth == depth) {
      atomicMax(deepest + vertex, ordered_bits(depth));
    }
  }
};

// To those whose depth won.
struct OfferFace {
  const Key* deepest;  // (N)
  Key* winner;         // (N)

  __device__ __forceinline__ void operator()(int32_t vertex, double depth, int32_t face) const {
    if (ordered_bits(depth) == deepest[vertex]) {
      atomicMax(winner + vertex, face_key(face));
    }
  }
};

__device__ __forceinline__ Offering<float, OfferBoth> offering(OfferBoth, const SoftParams<float>& p, int64_t b) {
  return {{p.winner + b * p.hard.N}};
}

__device__ __forceinline__ Offering<double, OfferDepth> offering(OfferDepth, const SoftParams<double>& p, int64_t b) {
  return {{p.deepest + b * p.hard.N}};
}

__device__ __forceinline__ Offering<double, OfferFace> offering(OfferFace, const SoftParams<double>& p, int64_t b) {
  return {{p.deepest + b * p.hard.N, p.winner + b * p.hard.N}};
}

template <class T, class Offer>
__global__ void __launch_bounds__(kThreads, kBlocks<T>)
    offer_grid_kernel(SoftParams<T> p, GridFaces faces, uint32_t parts, uint32_t across) {
  const GridPart place = grid_part(parts, across);
  walk_grid(p.hard, faces, place, offering(Offer{}, p, place.b));
}

template <class T, class Offer, class Index>
__global__ void __launch_bounds__(kThreads, kBlocks<T>)
    offer_listed_kernel(SoftParams<T> p, ListedFaces<Index> faces, uint32_t parts) {
  const ImagePart place = image_part(parts);
  walk_listed(p.hard, faces, place, offering(Offer{}, p, place.b));
}

template <class Offer, class T>
void launch_offer(const SoftParams<T>& p, const GridFaces& faces, CudaStream stream) {
  if (const GridParts parts = grid_cell_parts(faces); parts.count > 0) {
    launch_parts(stream, p.hard.B, parts.count, offer_grid_kernel<T, Offer>, p, faces, parts.count, parts.across);
  }
}

template <class Offer, class T, class Index>
void launch_offer(const SoftParams<T>& p, const ListedFaces<Index>& faces, CudaStream stream) {
  const int64_t parts = ceil_divide(faces.F, kThreads);
  launch_parts(stream, p.hard.B, parts, offer_listed_kernel<T, Offer, Index>, p, faces, parts);
}

__device__ __forceinline__ float winning_depth(const SoftParams<float>& p, int64_t i) {
  return float_of_ordered(static_cast<unsigned int>(p.winner[i] >> 32));
}

__device__ __forceinline__ double winning_depth(const SoftParams<double>& p, int64_t i) {
  return float_of_ordered(p.deepest[i]);
}

// One thread a vertex: 8 bytes for what won and 4 for visibility, read and written, and the depth.
template <class T>
__global__ void step_kernel(SoftParams<T> p) {
  const int64_t i = thread_index();
  if (i >= p.hard.B * p.hard.N) {
    return;
  }
  const Key key = p.winner[i];
  const bool won = p.hard.visible[i] != T(0) && key != 0;
  if (won) {
    p.hard.visible[i] = soft_visible(p.step, p.hard.points[3 * i + 2], winning_depth(p, i));
  }
  p.winner[i] = static_cast<Key>(won ? face_of(key & (kFaces - 1)) : int64_t{-1});
}

template <class T>
void clear(Key* keys, const SoftParams<T>& p, CudaStream stream) {
  fill_zero("visibility", stream, keys, p.hard.B * p.hard.N * static_cast<int64_t>(sizeof(Key)));
}

template <class Faces>
void find_winners(const SoftParams<float>& p, const Faces& faces, CudaStream stream) {
  clear(p.winner, p, stream);
  launch_offer<OfferBoth>(p, faces, stream);
}

template <class Faces>
void find_winners(const SoftParams<double>& p, const Faces& faces, CudaStream stream) {
  clear(p.winner, p, stream);
  clear(p.deepest, p, stream);
  launch_offer<OfferDepth>(p, faces, stream);
  launch_offer<OfferFace>(p, faces, stream);
}

}  // namespace

template <class T, class Faces>
void launch_soften(const SoftParams<T>& params, const Faces& faces, CudaStream stream) {
  find_winners(params, faces, stream);
  launch_each("visibility", stream, params.hard.B * params.hard.N, step_kernel<T>, params);
}

template void launch_soften(const SoftParams<float>&, const GridFaces&, CudaStream);
template void launch_soften(const SoftParams<double>&, const GridFaces&, CudaStream);
template void launch_soften(const SoftParams<float>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_soften(const SoftParams<float>&, const ListedFaces<int64_t>&, CudaStream);
template void launch_soften(const SoftParams<double>&, const ListedFaces<int32_t>&, CudaStream);
template void launch_soften(const SoftParams<double>&, const ListedFaces<int64_t>&, CudaStream);

}  // namespace stn
