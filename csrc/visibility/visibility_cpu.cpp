// Four passes over one image: the faces' areas and their sums around each vertex (facing), facing vertices sorted into
// screen cells, and one pass over the triangles, a strip at a time: shadows are cast on the screen, searched for
// candidates by the widest instructions there are, and the few that are found judged exactly. Linear in vertices,
// triangles and the cells that these cover. One task an image, or several: each then has vertices of its own, first by
// their indices and then by their places on the screen, and goes through the faces that may concern them in the order
// of a single task; so nothing depends on their number.
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

// Calls f(place, depth, face index) for the part's candidates that a face covers, at the depth of its plane, unless
// they lie nearer than all of it by the tolerance. Faces are taken in ascending order.
template <class T, class F>
class Strip final : Suspects {
 public:
  Strip(const T* points, T tolerance, VertexBins<T>& bins, const BinPart& part, const F& f)
      : screen_{points, bins.cells()}, caster_(points, tolerance, bins.cells()), sorted_(bins.sorted()), part_(part),
        f_(f) {
  }

  __attribute__((always_inline)) void add(Face face, int64_t index, T area) {
    caster_.cast(face, index, area, shadows_[filled_]);
    if (++filled_ == kShadows) {
      finish();
    }
  }

  void finish() {
    STN_CHOOSE_KERNEL(find_suspects<T>)(sorted_, screen_, part_, shadows_, filled_, *this);
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
        f_(place, depth, shadow.index);
      }
    }
    count_ = 0;
  }

  Screen<T> screen_;
  ShadowCaster<T> caster_;
  SortedVertices<T> sorted_;
  BinPart part_;
  const F& f_;
  int32_t filled_ = 0;
  Shadow<T> shadows_[kShadows];
};

// The rows of cells that each face touches, found once for all parts; none for those that hide nothing.
template <class T>
std::vector<CellRowRange> rows_of_faces(
    const T* points, int64_t N, const Mesh& mesh, const std::vector<T>& areas, const ScreenCells<T>& cells,
    int64_t parts) {
  std::vector<CellRowRange> rows(static_cast<size_t>(mesh.F), {1, 0});
  const auto begin = [&](int64_t part) { return part == parts ? mesh.F : mesh.F / 2 * part / parts * 2; };
  for_each_part(parts, [&](int64_t part) {
    for_each_face(points, N, mesh, begin(part), begin(part + 1), [&](Face face, int64_t index) {
      if (areas[static_cast<size_t>(index)] != T(0)) {
        const Triangle<T> t(points, face);
        rows[static_cast<size_t>(index)] = {
            screen_cell(cells.vertical, cells.rows, min3(t.a.y, t.b.y, t.c.y)),
            screen_cell(cells.vertical, cells.rows, max3(t.a.y, t.b.y, t.c.y))};
      }
    });
  });
  return rows;
}

// What Strip does, for all candidates in `parts`.
template <class T, class F>
void for_each_covered(
    const T* points, int64_t N, const Mesh& mesh, const std::vector<T>& areas, T tolerance, VertexBins<T>& bins,
    int64_t parts, const F& f) {
  const int64_t used = std::min(parts, bins.size());
  std::vector<CellRowRange> rows;
  if (used > 1) {
    rows = rows_of_faces(points, N, mesh, areas, bins.cells(), used);
  }
  for_each_part(used, [&](int64_t i) {
    const BinPart part = bins.part(i, used);
    Strip<T, F> strip(points, tolerance, bins, part, f);
    for_each_face(points, N, mesh, [&](Face face, int64_t index) __attribute__((always_inline)) {
      const auto n = static_cast<size_t>(index);
      if (areas[n] != T(0) && (used == 1 || (rows[n].first <= part.rows.last && rows[n].last >= part.rows.first))) {
        strip.add(face, index, areas[n]);
      }
    });
    strip.finish();
  });
}

}  // namespace

template <class T>
void visible_vertices(const T* points, int64_t N, const Mesh& mesh, T tolerance, int64_t parts, T* visible) {
  const std::vector<T> areas = sum_areas(points, N, mesh, parts, visible);
  Candidates<T> facing = facing_vertices(points, N, visible);
  if (facing.count == 0) {
    return;
  }
  VertexBins<T> bins(std::move(facing));
  const SortedVertices<T> sorted = bins.sorted();
  for_each_covered(points, N, mesh, areas, tolerance, bins, parts, [&](int32_t place, T depth, int64_t) {
    if (sorted.depth[place] < depth - tolerance) {
      visible[sorted.vertex[place]] = T(0);
      sorted.depth[place] = std::numeric_limits<T>::infinity();  // settled: every later triangle passes it by
    }
  });
}

template <class T>
void soft_visible_vertices(
    const T* points, int64_t N, const Mesh& mesh, SoftStep<T> step, int64_t parts, T* visible, int64_t* winner) {
  std::fill(winner, winner + N, int64_t{-1});
  const std::vector<T> areas = sum_areas(points, N, mesh, parts, visible);
  Candidates<T> facing = facing_vertices(points, N, visible);
  if (facing.count == 0) {
    return;
  }
  std::fill(facing.depth.begin(), facing.depth.end(), -std::numeric_limits<T>::infinity());
  VertexBins<T> bins(std::move(facing));
  const SortedVertices<T> sorted = bins.sorted();
  for_each_covered(points, N, mesh, areas, T(0), bins, parts, [&](int32_t place, T depth, int64_t index) {
    if (sorted.depth[place] < depth) {  // of equal depths the first, the lowest face index, stays
      sorted.depth[place] = depth;
      winner[sorted.vertex[place]] = index;
    }
  });
  for (int64_t place = 0; place < bins.size(); ++place) {
    const int64_t n = sorted.vertex[place];
    if (winner[n] >= 0) {
      visible[n] = soft_visible(step, points[3 * n + 2], sorted.depth[place]);
    }
  }
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
