// vertices[b] = mean + sum_k alpha[b, k] basis[k], and the gradient to alpha, one block of vertices at a time
// (once for each instruction set: common/each_instruction_set.h).
namespace stn {
namespace STN_INSTRUCTIONS {

template <class T>
void vertices_block(const VerticesParams<T>& p, int64_t block, int64_t group) {
  const ModelBlock<T> model = model_block(p.mean, p.basis, p.N, p.K, block);
  const int64_t b0 = group * kImageGroup, images = p.B - b0 < kImageGroup ? p.B - b0 : kImageGroup;
  T* out = p.out + 3 * (b0 * p.N + block * kVertexBlock);
  add_shapes(model, p.alpha + b0 * p.K, p.K, images, out, 3 * p.N);
}

template <class T>
void vertices_backward_block(const VerticesParams<T>& p, int64_t block) {
  const ModelBlock<T> model = model_block(p.mean, p.basis, p.N, p.K, block);
  T* out = p.out + block * p.B * p.K;
  if (p.B * p.K > 0) {  // else there is no memory, not even for nothing
    __builtin_memset(out, 0, sizeof(T) * static_cast<size_t>(p.B * p.K));
  }
  add_shape_gradients(model, p.grad_vertices + 3 * block * kVertexBlock, 3 * p.N, p.B, out, p.K);
}

}  // namespace STN_INSTRUCTIONS
}  // namespace stn
