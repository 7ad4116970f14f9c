// Four passes over one image: the faces' areas and their sums around each vertex (facing), facing vertices sorted into
// screen cells, and one pass over the triangles, a strip at a time: shadows are cast on the screen, searched for
// candidates by the widest instructions there are, and the few that are found judged exactly. Linear in vertices,
// triangles and the cells that these cover. One task an image, or several, with vertices, cells and at last faces of
// their own. What tasks find is put together in the order of their faces, so that nothing depends on their number.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")  // visibility_math.h
#endif

#include "visibility/visibility_cpu.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "visibility/facing_cpu.h"
#include "visibility/mesh_cpu.h"
#include "visibility/shadow.h"
#include "visibility/suspects.h"
#include "visibility/vertex_bins.h"

#define STN_KERNELS "visibility/suspects_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {
namespace {

// What some of the faces hide: a candidate's depth becomes infinity, so that every later face passes it by.
template <class T>
struct Hidden {
  T tolerance;
  Buffer<T> depth;

  void add(size_t place, T occluder, int64_t) {
    if (depth[place] < occluder - tolerance) {
      depth[place] = std::numeric_limits<T>::infinity();
    }
  }
};

// The deepest occluders among some of the faces; of equal depths the first, the lowest face index, stays.
template <class T>
struct Occluders {
  T tolerance;
  Buffer<T> depth;
  Buffer<int64_t> winner;

  void add(size_t place, T occluder, int64_t index) {
    if (depth[place] < occluder) {
      depth[place] = occluder;
      winner[place] = index;
    }
  }
};

// Calls found.add(place, depth, face index) for the candidates that a face covers, at the depth of its plane, unless
// they lie nearer than all of it by the tolerance. Faces are taken in ascending order.
template <class T, class Found>
class Strip final : Suspects {
 public:
  Strip(const T* points, const VertexBins<T>& bins, Found& found)
      : screen_{points, bins.cells()}, caster_(points, found.tolerance, bins.cells()),
        sorted_(bins.sorted(found.depth)), found_(found) {
  }

  __attribute__((always_inline)) void add(Face face, int64_t index, T area) {
    caster_.cast(face, index, area, shadows_[filled_]);
    if (++filled_ == kShadows) {
      finish();
    }
  }

  void finish() {
    STN_CHOOSE_KERNEL(find_suspects<T>)(sorted_, screen_, shadows_, filled_, *this);
    settle();
    filled_ = 0;
  }

 private:
  static constexpr int32_t kShadows = 64;

  void settle() override {
    for (int32_t s = 0; s < count_; ++s) {
      const Shadow<T>& shadow = shadows_[list_[s].shadow];
      const int32_t place = list_[s].place;
      const Triangle<T> t(screen_.points, shadow.face);
      T depth;
      if (covers(shadow.face, shadow.area, t.a, t.b, t.c, sorted_.x[place], sorted_.y[place], depth)) {
        found_.add(static_cast<size_t>(place), depth, shadow.index);
      }
    }
    count_ = 0;
  }

  Screen<T> screen_;
  ShadowCaster<T> caster_;
  SortedVertices<T> sorted_;
  Found& found_;
  int32_t filled_ = 0;
  Shadow<T> shadows_[kShadows];
};

// What each part of the faces finds, in ascending order; make() has found nothing.
template <class T, class F>
auto search(
    const T* points, int64_t N, const Mesh& mesh, const Buffer<T>& areas, const VertexBins<T>& bins, int64_t parts,
    const F& make) {
  using Found = decltype(make());
  std::vector<Found> found(static_cast<size_t>(parts));
  for_each_part_of_faces(mesh, parts, [&](int64_t part, int64_t first, int64_t last) {
    Found& own = found[static_cast<size_t>(part)];
    own = make();
    Strip<T, Found> strip(points, bins, own);
    for_each_face(points, N, mesh, first, last, [&](Face face, int64_t index) __attribute__((always_inline)) {
      if (const T area = areas[static_cast<size_t>(index)]; area != T(0)) {
        strip.add(face, index, area);
      }
    });
    strip.finish();
  });
  return found;
}

// f(place, vertex) for every candidate.
template <class T, class F>
void for_each_candidate(const VertexBins<T>& bins, int64_t parts, const F& f) {
  for_each_part(bins.size(), parts, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t place = first; place < last; ++place) {
      f(static_cast<size_t>(place), bins.vertex(place));
    }
  });
}

}  // namespace

template <class T>
void visible_vertices(const T* points, int64_t N, const Mesh& mesh, T tolerance, int64_t parts, T* visible) {
  const Buffer<T> areas = sum_areas(points, N, mesh, parts, visible);
  Candidates<T> facing = facing_vertices(points, N, visible);
  if (facing.count == 0) {
    return;
  }
  const VertexBins<T> bins(std::move(facing), parts);
  const std::vector<Hidden<T>> found =
      search(points, N, mesh, areas, bins, parts, [&] { return Hidden<T>{tolerance, bins.depths()}; });
  for_each_candidate(bins, parts, [&](size_t place, int64_t n) {
    for (const Hidden<T>& part : found) {
      if (part.depth[place] == std::numeric_limits<T>::infinity()) {
        visible[n] = T(0);
      }
    }
  });
}

template <class T>
void soft_visible_vertices(
    const T* points, int64_t N, const Mesh& mesh, SoftStep<T> step, int64_t parts, T* visible, int64_t* winner) {
  std::fill(winner, winner + N, int64_t{-1});
  const Buffer<T> areas = sum_areas(points, N, mesh, parts, visible);
  Candidates<T> facing = facing_vertices(points, N, visible);
  if (facing.count == 0) {
    return;
  }
  constexpr T none = -std::numeric_limits<T>::infinity();
  std::fill(facing.depth.begin(), facing.depth.end(), none);
  const VertexBins<T> bins(std::move(facing), parts);
  const std::vector<Occluders<T>> found = search(points, N, mesh, areas, bins, parts, [&] {
    return Occluders<T>{T(0), bins.depths(), Buffer<int64_t>(static_cast<size_t>(bins.size()))};
  });
  for_each_candidate(bins, parts, [&](size_t place, int64_t n) {
    T deepest = none;
    for (const Occluders<T>& part : found) {
      if (deepest < part.depth[place]) {
        deepest = part.depth[place];
        winner[n] = part.winner[place];
      }
    }
    if (deepest > none) {
      visible[n] = soft_visible(step, points[3 * n + 2], deepest);
    }
  });
}

template void visible_vertices(const float*, int64_t, const Mesh&, float, int64_t, float*);
template void visible_vertices(const double*, int64_t, const Mesh&, double, int64_t, double*);
template void soft_visible_vertices(const float*, int64_t, const Mesh&, SoftStep<float>, int64_t, float*, int64_t*);
template void soft_visible_vertices(const double*, int64_t, const Mesh&, SoftStep<double>, int64_t, double*, int64_t*);

namespace {

std::tuple<Tensor, Tensor> visibility_cpu(
    const Tensor& points, const std::optional<Tensor>& faces, int64_t P, int64_t Q, const std::string& mode,
    double tolerance, double temperature) {
  const VisibilityInputs in(points, faces, P, Q);
  const bool soft = is_soft("visibility", mode);
  const Tensor visible = uninitialised(in.points, {in.B, in.N}), winner = uninitialised_winner(in, soft);
  dispatch_floating(in.points, "visibility", [&](auto type) {
    using T = decltype(type);
    const SoftStep<T> step = soft_step<T>(tolerance, temperature);
    for_each_image(in.B, in.N, [&](int64_t b, int64_t parts) {
      const T* points_of_image = pointer<T>(in.points) + 3 * b * in.N;
      T* visible_of_image = mutable_pointer<T>(visible) + b * in.N;
      const Mesh mesh = mesh_of_image(in, b);
      if (soft) {
        int64_t* winner_of_image = mutable_pointer<int64_t>(winner) + b * in.N;
        soft_visible_vertices(points_of_image, in.N, mesh, step, parts, visible_of_image, winner_of_image);
      } else {
        visible_vertices(points_of_image, in.N, mesh, step.tolerance, parts, visible_of_image);
      }
    });
  });
  return {visible, winner};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("visibility", TORCH_BOX(&stn::visibility_cpu));
}
