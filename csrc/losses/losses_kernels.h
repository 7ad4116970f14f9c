// Rows of two textures, texel by texel: their sums, and the gradient to the first texture and its mask (once for each
// instruction set: common/each_instruction_set.h). A stretch of a row at a time, so that its weights and sums stay in
// the nearest cache from channel to channel; a mirrored row is turned round first, so that every loop runs forwards.
namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

// Where in a plane `count` texels of a row begin, and where the texels that they face do.
struct Stretch {
  int64_t own, facing, count;
};

template <class F>
void for_each_stretch(const TextureRows& rows, int64_t Q, bool mirror, const F& f) {
  for (int64_t row = rows.first; row < rows.last; ++row) {
    for (int64_t column = 0; column < Q; column += kVertexBlock) {
      const int64_t left = Q - column, own = row * Q + column;
      f(Stretch{own, mirror ? row * Q + left - 1 : own, left < kVertexBlock ? left : kVertexBlock});
    }
  }
}

// The texels of the plane that the stretch faces, in its order.
template <class T>
const T* faced(const T* plane, const Stretch& stretch, bool mirror, T* __restrict__ turned) {
  const T* first = plane + stretch.facing;
  if (!mirror) {
    return first;
  }
  for (int64_t i = 0; i < stretch.count; ++i) {
    turned[i] = first[-i];
  }
  return turned;
}

template <class T>
void add_squares(
    const T* __restrict__ texture, const T* __restrict__ facing, const T* __restrict__ weight, int64_t count,
    T* __restrict__ squares) {
  for (int64_t i = 0; i < count; ++i) {
    const T d = shown_difference(texture[i], facing[i], weight[i]);
    squares[i] += d * d;
  }
}

}  // namespace

// Added up in T along a stretch, from stretch to stretch in double.
template <class T>
TextureSums texture_sums_of_rows(const TexturePair<T>& p, const TextureRows& rows) {
  const int64_t N = p.P * p.Q;
  TextureSums sums = {0, 0};
  for_each_stretch(rows, p.Q, p.mirror, [&](const Stretch& stretch) {
    T weight[kVertexBlock], squares[kVertexBlock] = {}, turned[kVertexBlock];
    const T* mask = p.a.mask + rows.b * N + stretch.own;
    const T* facing_mask = faced(p.b.mask + rows.b * N, stretch, p.mirror, turned);
    for (int64_t i = 0; i < stretch.count; ++i) {
      weight[i] = mask[i] * facing_mask[i];
    }
    for (int64_t plane = rows.b * p.C; plane < (rows.b + 1) * p.C; ++plane) {
      const T* facing = faced(p.b.texture + plane * N, stretch, p.mirror, turned);
      add_squares(p.a.texture + plane * N + stretch.own, facing, weight, stretch.count, squares);
    }
    T difference_sum = 0, weight_sum = 0;
#pragma omp simd reduction(+ : difference_sum, weight_sum)
    for (int64_t i = 0; i < stretch.count; ++i) {
      difference_sum += weight[i] * shown_squares(squares[i], weight[i]);
      weight_sum += weight[i];
    }
    sums.difference += static_cast<double>(difference_sum);
    sums.weight += static_cast<double>(weight_sum);
  });
  return sums;
}

// The gradient to a and its mask; that to b is the one of the pair swapped.
template <class T>
void texture_gradient_of_rows(
    const TexturePair<T>& p, const SumsGradient<T>& sums, const MaskedGradient<T>& grad, const TextureRows& rows) {
  const int64_t N = p.P * p.Q;
  const T g = sums.times * sums.difference[rows.b], h = sums.times * sums.weight[rows.b];
  for_each_stretch(rows, p.Q, p.mirror, [&](const Stretch& stretch) {
    T weight[kVertexBlock], squares[kVertexBlock] = {}, turned_mask[kVertexBlock], turned[kVertexBlock];
    const T* mask = p.a.mask + rows.b * N + stretch.own;
    const T* facing_mask = faced(p.b.mask + rows.b * N, stretch, p.mirror, turned_mask);
    for (int64_t i = 0; i < stretch.count; ++i) {
      weight[i] = mask[i] * facing_mask[i];
    }
    for (int64_t plane = rows.b * p.C; plane < (rows.b + 1) * p.C; ++plane) {
      const T* texture = p.a.texture + plane * N + stretch.own;
      const T* facing = faced(p.b.texture + plane * N, stretch, p.mirror, turned);
      if (grad.texture != nullptr) {
        T* out = grad.texture + plane * N + stretch.own;
#pragma omp simd
        for (int64_t i = 0; i < stretch.count; ++i) {
          out[i] = texture_vjp(g, weight[i], shown_difference(texture[i], facing[i], weight[i]));
        }
      }
      if (grad.mask != nullptr) {
        add_squares(texture, facing, weight, stretch.count, squares);
      }
    }
    if (grad.mask != nullptr) {
      T* out = grad.mask + rows.b * N + stretch.own;
#pragma omp simd
      for (int64_t i = 0; i < stretch.count; ++i) {
        out[i] = mask_vjp(g, h, shown_squares(squares[i], weight[i]), facing_mask[i]);
      }
    }
  });
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
