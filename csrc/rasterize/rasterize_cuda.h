// Launchers of the rasterize kernels.
#pragma once

#include "common/cuda_stream.h"
#include "rasterize/rasterize_math.h"
#include "sample/image_gradient.h"

namespace stn {

// The meshes of a batch.
template <class T, class Index>
struct BatchMesh {
  const T* points;      // (B, N, 3) pixels
  const Index* faces;   // (F, 3) or (B, F, 3)
  int64_t face_stride;  // 0 or 3 F
  int64_t B, N, F;

  STN_HD ImageMesh<T, Index> of_image(int64_t b) const {
    return {points + 3 * b * N, faces + b * face_stride, N, F};
  }
};

template <class T, class Index>
struct RasterizeParams {
  BatchMesh<T, Index> mesh;
  int64_t* face;   // (B, H, W); until the end, its memory holds the words by which faces compete
  T* barycentric;  // (B, H, W, 3)
  T* depth;        // (B, H, W); in float64 its memory holds the depths by which faces compete
  int32_t H, W;
};

template <class T, class Index>
struct RasterizeBackwardParams {
  BatchMesh<T, Index> mesh;
  PictureGradients<T> picture;  // of all images
  int64_t pixels;               // H W
  PointGradient<T> sums;        // to grad_points (B, 3 N): a vertex gets at most H W contributions
};

template <class T, class Index>
void launch_rasterize(const RasterizeParams<T, Index>& params, CudaStream stream);
template <class T, class Index>
void launch_rasterize_backward(const RasterizeBackwardParams<T, Index>& params, CudaStream stream);

}  // namespace stn
