// The shapes of a group of faces in one block of vertices, and the gradient to their coefficients
// (once for each instruction set: common/each_instruction_set.h).
namespace stn {
namespace STN_INSTRUCTIONS {
namespace {

// One block of the model: where it starts in a flattened row and how many columns (three a vertex) it has.
template <class T>
struct ModelBlock {
  const T* mean;       // (columns)
  const T* basis;      // (K, row_stride), its first columns
  int64_t row_stride;  // 3 N
  int64_t K, columns;
};

template <class T>
ModelBlock<T> model_block(const T* mean, const T* basis, int64_t N, int64_t K, int64_t block) {
  const int64_t first = block * kVertexBlock;
  const int64_t count = N - first < kVertexBlock ? N - first : kVertexBlock;
  return {mean == nullptr ? mean : mean + 3 * first, basis + 3 * first, 3 * N, K, 3 * count};
}

// Shapes of `images` faces in this block. A few modes for all the images, then the next few: the rows are then still
// in the nearest cache.
template <class T>
void add_shapes(
    const ModelBlock<T>& model, const T* alpha, int64_t alpha_stride, int64_t images, T* out, int64_t out_stride) {
  if (model.K == 0) {
    for (int64_t b = 0; b < images; ++b) {
      __builtin_memcpy(out + b * out_stride, model.mean, sizeof(T) * static_cast<size_t>(model.columns));
    }
  }
  for_each_chunk(model.K, [&](auto rows, int64_t k) {
    for (int64_t b = 0; b < images; ++b) {
      T* shape = out + b * out_stride;
      add_rows<rows>(
          k == 0 ? model.mean : shape, alpha + b * alpha_stride + k, model.basis + k * model.row_stride,
          model.row_stride, model.columns, shape);
    }
  });
}

// out[b, k] += sum over the block's columns of basis[k] grad[b].
template <class T>
void add_shape_gradients(
    const ModelBlock<T>& model, const T* grad, int64_t grad_stride, int64_t images, T* out, int64_t out_stride) {
  for_each_chunk(model.K, [&](auto rows, int64_t k) {
    for (int64_t b = 0; b < images; ++b) {
      add_products<rows>(
          grad + b * grad_stride, model.basis + k * model.row_stride, model.row_stride, model.columns,
          out + b * out_stride + k);
    }
  });
}

}  // namespace
}  // namespace STN_INSTRUCTIONS
}  // namespace stn
