// What one thread does for one point of one image, for sample and warp (for .cu files). Planes are taken a few at a
// time: their texels are read before any of them is used, so that the reads overlap.
#pragma once

#include "sample/image_gradient_sinks.h"
#include "sample/sample_footprint.h"

namespace stn {

constexpr int kPlanesAtOnce = 4;

// One image's planes, and the point's place in what has N entries a plane.
template <class I>
struct PointPlanes {
  const I* image;     // (C, H, W)
  int64_t pixels, C;  // H W
  int64_t N;
};

template <class T, class I>
__device__ __forceinline__ void sample_point(
    const PointPlanes<I>& p, const Footprint<T>& footprint,
    I* __restrict__ out) {  // (C, N), from the point's entry on
  const I* __restrict__ image = p.image;
  for (int64_t first = 0; first < p.C; first += kPlanesAtOnce) {
    FourTexels<T> texels[kPlanesAtOnce];
#pragma unroll
    for (int c = 0; c < kPlanesAtOnce; ++c) {
      texels[c] = first + c < p.C ? read_texels(image + (first + c) * p.pixels, footprint) : FourTexels<T>();
    }
#pragma unroll
    for (int c = 0; c < kPlanesAtOnce; ++c) {
      if (first + c < p.C) {
        out[(first + c) * p.N] = static_cast<I>(bilinear(texels[c], footprint));
      }
    }
  }
}

template <class T, class Plane>
__device__ __forceinline__ void add_to_texels(
    const Plane& plane, const Footprint<T>& f, const FourTexels<T>& weights, T grad) {
  const auto add = [&](int32_t texel, T weight) {
    if (weight != T(0)) {
      plane.add(texel, weight * grad);
    }
  };
  add(f.first, weights.upper_left);
  add(f.first + f.right, weights.upper_right);
  add(f.first + f.lower, weights.lower_left);
  add(f.first + f.lower + f.right, weights.lower_right);
}

// The gradient to the point, or 0 if it is not asked for; the gradient to the image goes to the sink, whose planes of
// this image begin at first_plane.
template <class T, class I, class Sink>
__device__ __forceinline__ Vec2<T> sample_point_vjp(
    const PointPlanes<I>& p, const Footprint<T>& footprint,
    const I* __restrict__ grad_samples,  // (C, N), from the point's entry on
    bool point_needed, const Sink& sink, int64_t first_plane) {
  const I* __restrict__ image = p.image;
  const FourTexels<T> weights = texel_weights(footprint);
  Vec2<T> grad = {T(0), T(0)};
  for (int64_t first = 0; first < p.C; first += kPlanesAtOnce) {
    FourTexels<T> texels[kPlanesAtOnce];
    T g[kPlanesAtOnce];
#pragma unroll
    for (int c = 0; c < kPlanesAtOnce; ++c) {
      const bool some = first + c < p.C;
      g[c] = some ? static_cast<T>(grad_samples[(first + c) * p.N]) : T(0);
      texels[c] = some && point_needed ? read_texels(image + (first + c) * p.pixels, footprint) : FourTexels<T>();
    }
#pragma unroll
    for (int c = 0; c < kPlanesAtOnce; ++c) {
      if (first + c < p.C) {
        const Vec2<T> part = bilinear_vjp(texels[c], footprint, g[c]);
        grad = {grad.x + part.x, grad.y + part.y};
        if constexpr (Sink::kNeeded) {
          add_to_texels(sink.plane(first_plane + first + c), footprint, weights, g[c]);
        }
      }
    }
  }
  return grad;
}

}  // namespace stn
