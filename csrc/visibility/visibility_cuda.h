// The stages of visibility on CUDA, in the order in which they run: place the screen's cells, find the vertices that
// face the viewer and count them by cell, sort them by cell, order those of crowded cells, hide those that lie behind a
// triangle or, for soft visibility, find the deepest triangle of each.
#pragma once

#include <cstdint>

#include "common/cuda_stream.h"
#include "sample/image_gradient.h"
#include "visibility/screen_axis.h"
#include "visibility/visibility_math.h"

namespace stn {

// A candidate: a vertex that may turn out to be hidden. Aligned, so that one is a single load (two in float64).
template <class T>
struct alignas(4 * sizeof(T)) ScreenVertex {
  T x, y, depth;
  int32_t vertex;
};

// What bounds some candidates, and the depth of the deepest.
template <class T>
struct CrowdBox {
  T x0, x1, y0, y1, lowest;
};

// A cell of more candidates than this is a crowd: triangles do not look at each of them, but at boxes around some
// (crowd_tree.h). A face at 112 x 112 has 30 in its fullest cell, wherever it looks.
constexpr int32_t kCrowd = 128;
// There is room for one box in so many candidates.
constexpr int32_t kCrowdBoxRoom = 16;

// The crowds of all images. All of it is workspace.
template <class T>
struct Crowds {
  int32_t* count;      // (1)
  int64_t* cells;      // (B (N / kCrowd)): where each crowd's cell stands in `starts`, the crowds in any order
  int32_t* vertices;   // (B, N): of crowds, while they are sorted
  CrowdBox<T>* boxes;  // (B N / kCrowdBoxRoom + 1)
};

// The candidates of each image in side x side cells of its screen, row after row, so that a box of cells is one run of
// candidates for each of its rows. All of it is workspace.
template <class T>
struct ScreenBins {
  int32_t side;
  ScreenAxis<T>* axes;  // (B, 2): of x and of y
  int32_t* starts;      // (B, side, side + 1), from launch_place on: the candidates in a cell; then where they begin in
                        // `sorted`, and last in each row where its last cell ends
  int32_t* claimed;     // (B): the candidates of the rows that have their place in `sorted`
  int32_t* ranks;       // (B, N): a candidate's place in its cell, -1 for other vertices; last the vertices of crowds
  ScreenVertex<T>* sorted;  // (B, N): row by row, the rows in any order, a cell's candidates in any order
  Crowds<T> crowds;
};

template <class T>
struct VisibilityParams {
  const T* points;  // (B, N, 3) pixels
  T* visible;       // (B, N)
  bool fresh;       // `visible` is written throughout; if not, a vertex where it is 0 is no candidate
  int64_t B, N;
  T tolerance;
  ScreenBins<T> bins;
};

// Soft visibility: `visible` goes from 1 or 0, who may be seen, to the step's value.
template <class T>
struct SoftParams {
  VisibilityParams<T> hard;
  SoftStep<T> step;
  unsigned long long* winner;   // (B, N): the winning face's index as an int64, -1 for none
  unsigned long long* deepest;  // (B, N), workspace; float64 only
};

template <class T>
struct SoftBackward {
  const T* grad_visible;  // (B, N)
  const T* points;        // (B, N, 3)
  const int64_t* winner;  // (B, N)
  SoftStep<T> step;
  int64_t B, N;
  PointGradient<T> sums;  // deterministic; a vertex gets at most N contributions
};

// The triangles of the P x Q texture grid.
struct GridFaces {
  int64_t P, Q;
};

// F triangles, for all images or for each, and the same by vertex. Faces with a foreign index do not exist.
template <class Index>
struct ListedFaces {
  const Index* faces;  // (F, 3), or (B, F, 3) if per_image
  int64_t F;           // 3 F < 2^31
  bool per_image;
  // Of one list, or B:
  const Index* vertices;   // (lists, 3 F): the flattened faces, sorted
  const int64_t* corners;  // (lists, 3 F): where each stood before, ascending where the vertices are equal
  int32_t* first;          // (lists, N + 1), workspace: how many of `vertices` are less than n
};

template <class T>
void launch_place(const VisibilityParams<T>& params, CudaStream stream);
template <class T>
void launch_facing(const VisibilityParams<T>& params, const GridFaces& faces, CudaStream stream);
template <class T, class Index>
void launch_facing(const VisibilityParams<T>& params, const ListedFaces<Index>& faces, CudaStream stream);
template <class T>
void launch_sort(const VisibilityParams<T>& params, CudaStream stream);
template <class T>
void launch_order(const VisibilityParams<T>& params, CudaStream stream);
template <class T>
void launch_hide(const VisibilityParams<T>& params, const GridFaces& faces, CudaStream stream);
template <class T, class Index>
void launch_hide(const VisibilityParams<T>& params, const ListedFaces<Index>& faces, CudaStream stream);
// Instead of launch_hide.
template <class T, class Faces>
void launch_soften(const SoftParams<T>& params, const Faces& faces, CudaStream stream);

// Of ListedFaces it takes the faces alone.
template <class T, class Faces>
void launch_soft_backward(const SoftBackward<T>& params, const Faces& faces, CudaStream stream);

}  // namespace stn
