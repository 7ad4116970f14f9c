// Crowds (visibility_cuda.h): their candidates in an order that keeps neighbours on the screen together, and boxes
// around runs of them (crowd_tree.h). The order is that of a Z-shaped curve through all floats: of two points the axis
// decides whose coordinates part at the higher bit, so that runs lie in the cells of a quadtree whose depth has no
// bound, however closely candidates crowd. A block a crowd sorts it by merging, n log n in time, and most screens have
// no crowd. Nothing here decides the result; neither does the order of those at one place.
#include "common/launch.h"
#include "common/ordered_bits.h"
#include "visibility/crowd_tree.h"

namespace stn {
namespace {

constexpr int kSorters = 1024;           // threads a crowd
constexpr int64_t kSortingBlocks = 256;  // they take turns with the crowds

template <class T>
struct Crowd {
  const T* points;          // (N, 3), of its image
  ScreenVertex<T>* sorted;  // (count)
  int32_t* vertices;        // (count)
  int32_t* others;          // (count): for sorting
  int32_t count;
  CrowdTree<T> tree;

  // The i-th of the batch.
  __device__ __forceinline__ Crowd(const VisibilityParams<T>& p, int32_t i) : Crowd(p, p.bins.crowds.cells[i]) {
  }

 private:
  __device__ __forceinline__ Crowd(const VisibilityParams<T>& p, int64_t cell)
      : Crowd(
            p, cell / (static_cast<int64_t>(p.bins.side) * (p.bins.side + 1)),
            {p.bins.starts[cell], p.bins.starts[cell + 1] - p.bins.starts[cell]}) {
  }

  __device__ __forceinline__ Crowd(const VisibilityParams<T>& p, int64_t b, Run run)
      : points(p.points + 3 * b * p.N), sorted(p.bins.sorted + b * p.N + run.begin),
        vertices(p.bins.ranks + b * p.N + run.begin), others(p.bins.crowds.vertices + b * p.N + run.begin),
        count(run.count), tree(p.bins, ImageBins<T>(p.bins, b, p.N), run) {
  }
};

// A candidate on the curve.
template <class T>
struct Place {
  int32_t vertex;
  OrderedBits<T> x, y;

  __device__ __forceinline__ bool is_before(const Place& other) const {
    const OrderedBits<T> across = x ^ other.x, along = y ^ other.y;
    const bool along_parts_higher = across < along && across < (across ^ along);
    return along_parts_higher ? y < other.y : x < other.x;
  }
};

template <class T>
__device__ __forceinline__ Place<T> place_of(const T* points, int32_t vertex) {
  const T* point = points + 3 * static_cast<int64_t>(vertex);
  return {vertex, ordered_bits(point[0]), ordered_bits(point[1])};
}

// Two sorted runs of vertices, one behind the other.
template <class T>
struct Runs {
  const T* points;
  const int32_t* vertices;
  int64_t begin, middle, end;

  __device__ __forceinline__ Place<T> at(int64_t i) const {
    return place_of(points, vertices[i]);
  }

  // How many of the first `rank` vertices of both runs, merged, come from the first; of equals those do.
  __device__ __forceinline__ int64_t of_first(int64_t rank) const {
    int64_t low = rank - (end - middle), high = middle - begin;
    low = low > 0 ? low : 0;
    high = high < rank ? high : rank;
    while (low < high) {
      const int64_t some = (low + high) / 2;
      if (at(middle + rank - 1 - some).is_before(at(begin + some))) {
        high = some;
      } else {
        low = some + 1;
      }
    }
    return low;
  }

  // The merged vertices from place i to place `last`, of this block's.
  __device__ __forceinline__ void merge(int64_t i, int64_t last, int32_t* to) const {
    int64_t first = begin + of_first(i - begin), second = middle + (i - first);
    Place<T> a = first < middle ? at(first) : Place<T>{}, b = second < end ? at(second) : Place<T>{};
    for (; i < last; ++i) {
      if (second == end || (first < middle && !b.is_before(a))) {
        to[i] = a.vertex;
        a = ++first < middle ? at(first) : a;
      } else {
        to[i] = b.vertex;
        b = ++second < end ? at(second) : b;
      }
    }
  }
};

// Merges neighbouring sorted runs of `width` vertices; every thread writes its share, of one pair of runs or of
// several.
template <class T>
__device__ __forceinline__ void merge_runs(const Crowd<T>& crowd, const int32_t* from, int64_t width, int32_t* to) {
  const int64_t count = crowd.count, share = (count + kSorters - 1) / kSorters;
  const int64_t begin = share * threadIdx.x, end = begin + share < count ? begin + share : count;
  for (int64_t i = begin; i < end;) {
    const int64_t first = i & -(2 * width), middle = first + width, last = middle + width;
    const Runs<T> runs = {crowd.points, from, first, middle < count ? middle : count, last < count ? last : count};
    const int64_t stop = runs.end < end ? runs.end : end;
    runs.merge(i, stop, to);
    i = stop;
  }
  __syncthreads();
}

// The crowd's vertices in the order of the curve.
template <class T>
__device__ __forceinline__ const int32_t* sort_along_curve(const Crowd<T>& crowd) {
  for (int32_t i = threadIdx.x; i < crowd.count; i += kSorters) {
    crowd.vertices[i] = crowd.sorted[i].vertex;
  }
  __syncthreads();
  int32_t *from = crowd.vertices, *to = crowd.others;
  for (int64_t width = 1; width < crowd.count; width *= 2) {
    merge_runs(crowd, from, width, to);
    int32_t* const merged = to;
    to = from;
    from = merged;
  }
  return from;
}

template <class T>
__device__ __forceinline__ CrowdBox<T> bounds_of(const ScreenVertex<T>& p) {
  return {p.x, p.x, p.y, p.y, p.depth};
}

template <class T>
__device__ __forceinline__ CrowdBox<T> bounds_of(const CrowdBox<T>& box) {
  return box;
}

// Boxes around every 32 of `count` candidates or boxes.
template <class T, class Below>
__device__ __forceinline__ void bound_each(const Below* below, int32_t count, CrowdBox<T>* boxes, int32_t boxes_count) {
  for (int32_t i = threadIdx.x; i < boxes_count; i += kSorters) {
    const int32_t first = kWarp * i, last = count - first < kWarp ? count : first + kWarp;
    CrowdBox<T> box = bounds_of(below[first]);
    for (int32_t j = first + 1; j < last; ++j) {
      const CrowdBox<T> next = bounds_of(below[j]);
      box.x0 = min(box.x0, next.x0), box.x1 = max(box.x1, next.x1);
      box.y0 = min(box.y0, next.y0), box.y1 = max(box.y1, next.y1);
      box.lowest = min(box.lowest, next.lowest);
    }
    boxes[i] = box;
  }
  __syncthreads();
}

template <class T>
__global__ void __launch_bounds__(kSorters) order_kernel(VisibilityParams<T> p) {
  for (int32_t i = blockIdx.x; i < *p.bins.crowds.count; i += gridDim.x) {
    const Crowd<T> crowd(p, i);
    const int32_t* const vertices = sort_along_curve(crowd);
    for (int32_t j = threadIdx.x; j < crowd.count; j += kSorters) {
      const Vec3<T> point = load3(crowd.points + 3 * static_cast<int64_t>(vertices[j]));
      crowd.sorted[j] = {point.x, point.y, point.z, vertices[j]};
    }
    __syncthreads();
    const CrowdTree<T>& tree = crowd.tree;
    bound_each(crowd.sorted, tree.count(0), tree.boxes(1), tree.count(1));
    for (int height = 2; height <= tree.top(); ++height) {
      bound_each(tree.boxes(height - 1), tree.count(height - 1), tree.boxes(height), tree.count(height));
    }
  }
}

}  // namespace

template <class T>
void launch_order(const VisibilityParams<T>& params, CudaStream stream) {
  const int64_t most = params.B * (params.N / kCrowd);
  launch<kSorters>("visibility", stream, most < kSortingBlocks ? most : kSortingBlocks, order_kernel<T>, params);
}

template void launch_order(const VisibilityParams<float>&, CudaStream);
template void launch_order(const VisibilityParams<double>&, CudaStream);

}  // namespace stn
