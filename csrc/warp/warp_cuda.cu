// The fused chain, forward (docs/math.md#warp): one launch for texture, mask, landmarks and, where visibility needs
// them, points. A block takes a chunk of 256 vertices and a group of up to 8 images (warp_group.h); then, image after
// image, a thread takes one vertex through rotation, projection, mask and all planes of the texture. The first blocks
// of the grid project the landmarks, a warp each.
// Moves the basis B / G times, all but once from the second-level cache; the image's texels; texture, mask and points
// once. Deterministic.
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include "common/launch.h"
#include "sample/sample_point.h"
#include "warp/warp_group.h"

namespace stn {
namespace {

using torch::headeronly::BFloat16;
using torch::headeronly::Half;

// Which blocks project landmarks: the first of the grid, so many for each image.
struct LandmarkBlocks {
  unsigned all, an_image;
};

// kWarps landmarks of one image; NaN for one that names no vertex.
template <class T, class I, int G>
__device__ __forceinline__ void project_landmarks(
    const WarpForward<T, I>& p, unsigned blocks_an_image, RigidPose<T> (&poses)[G]) {
  const int64_t b = blockIdx.x / blocks_an_image;
  const int64_t l = blockIdx.x % blocks_an_image * int64_t{kWarps} + threadIdx.x / kWarp;
  make_poses(p.model, b, 1, poses);
  __syncthreads();
  if (l >= p.L) {
    return;
  }
  const int64_t n = p.vertices[l];
  const bool exists = n >= 0 && n < p.model.N;
  const Vec3<T> X = exists ? shape_vertex_of_warp(p.model, b, n) : Vec3<T>{T(NAN), T(NAN), T(NAN)};
  if (threadIdx.x % kWarp == 0) {
    const Vec3<T> point = project_vertex(poses[0].rotation, poses[0].scale, poses[0].translation, X);
    T* landmark = p.landmarks + 2 * (b * p.L + l);
    landmark[0] = point.x;
    landmark[1] = point.y;
  }
}

// Returns the vertex's point.
template <class T, class I>
__device__ __forceinline__ Vec3<T> warp_vertex(
    const WarpForward<T, I>& p, const RigidPose<T>& pose, Vec3<T> X, int64_t b, int64_t n) {
  const int64_t pixels = p.H * p.W, N = p.model.N;
  const Vec3<T> point = project_vertex(pose.rotation, pose.scale, pose.translation, X);
  if (p.mask != nullptr) {
    const bool inside = in_image(point.x, point.y, point.z, static_cast<T>(p.W - 1), static_cast<T>(p.H - 1));
    p.mask[b * N + n] = inside && (p.valid == nullptr || p.valid[n]) ? T(1) : T(0);
  }
  const PointPlanes<I> planes = {p.image + b * p.C * pixels, pixels, p.C, N};
  sample_point(planes, footprint(point.x, point.y, p.H, p.W), p.texture + b * p.C * N + n);
  return point;
}

template <class T, class I, int G>
__global__ void __launch_bounds__(kThreads, sizeof(T) == sizeof(float) ? 3 : 2)
    warp_kernel(WarpForward<T, I> p, unsigned groups, LandmarkBlocks landmark_blocks) {
  __shared__ T shapes[G][kChunkColumns];
  __shared__ RigidPose<T> poses[G];
  if (blockIdx.x < landmark_blocks.all) {
    project_landmarks(p, landmark_blocks.an_image, poses);
    return;
  }
  const auto at = GroupPlace<G>::of(p.model, blockIdx.x - landmark_blocks.all, groups);
  const int thread = static_cast<int>(threadIdx.x);
  make_poses(p.model, at.b0, at.images, poses);
  make_shapes(p.model, at, shapes);
  __syncthreads();
  for (int g = 0; g < at.images && thread < at.vertices; ++g) {
    const Vec3<T> X = load3(&shapes[g][3 * thread]);
    const Vec3<T> point = warp_vertex(p, poses[g], X, at.b0 + g, at.first + thread);
    if (p.points != nullptr) {
      store3(&shapes[g][3 * thread], point);  // on their way to coalesced writes
    }
  }
  if (p.points != nullptr) {
    __syncthreads();
    for (int g = 0; g < at.images; ++g) {
      T* points = p.points + 3 * ((at.b0 + g) * p.model.N + at.first);
      for (int column = thread; column < 3 * at.vertices; column += kThreads) {
        points[column] = shapes[g][column];
      }
    }
  }
}

}  // namespace

template <class T, class I>
void launch_warp(const WarpForward<T, I>& params, CudaStream stream) {
  const WarpModel<T>& m = params.model;
  const int64_t chunks = ceil_divide(m.N, kWarpChunk), an_image = ceil_divide(params.L, kWarps);
  const LandmarkBlocks landmark_blocks = {static_cast<unsigned>(m.B * an_image), static_cast<unsigned>(an_image)};
  with_group<T>(m.B, [&](auto group) {
    constexpr int G = group;
    const int64_t groups = ceil_divide(m.B, G);
    launch(
        "warp", stream, m.B * an_image + chunks * groups, warp_kernel<T, I, G>, params, static_cast<unsigned>(groups),
        landmark_blocks);
  });
}

template void launch_warp(const WarpForward<float, float>&, CudaStream);
template void launch_warp(const WarpForward<double, double>&, CudaStream);
template void launch_warp(const WarpForward<float, Half>&, CudaStream);
template void launch_warp(const WarpForward<float, BFloat16>&, CudaStream);

}  // namespace stn
