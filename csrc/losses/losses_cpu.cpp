// Tasks of some rows of one image, cut by sizes alone; an image's sums are added in the tasks' order. So nothing
// depends on the number of threads.
#include <algorithm>
#include <vector>

#include "losses/losses_inputs.h"

#define STN_KERNELS "losses/losses_kernels.h"
#include "common/each_instruction_set.h"

namespace stn {
namespace {

constexpr int64_t kTaskTexels = 4096;

struct TextureTasks {
  int64_t B, P, rows, blocks;

  explicit TextureTasks(const TextureInputs& in)
      : B(in.B), P(in.P), rows(std::max<int64_t>(1, kTaskTexels / std::max<int64_t>(1, in.Q))),
        blocks(ceil_divide(in.P, rows)) {
  }

  // f(task, its rows).
  template <class F>
  void run(const F& f) const {
    torch::stable::parallel_for(0, B * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t first = task % blocks * rows;
        f(task, TextureRows{task / blocks, first, std::min(first + rows, P)});
      }
    });
  }
};

std::tuple<Tensor, Tensor> sums_cpu(const TextureInputs& in) {
  const Tensor difference = uninitialised(in.texture_a, {in.B}), weight = uninitialised(in.texture_a, {in.B});
  const TextureTasks tasks(in);
  std::vector<TextureSums> parts(static_cast<size_t>(in.B * tasks.blocks));
  dispatch_floating(in.texture_a, "texture_difference", [&](auto type) {
    using T = decltype(type);
    const auto kernel = STN_CHOOSE_KERNEL(texture_sums_of_rows<T>);
    const TexturePair<T> pair = in.pair<T>();
    tasks.run([&](int64_t task, const TextureRows& rows) { parts[static_cast<size_t>(task)] = kernel(pair, rows); });
    for (int64_t b = 0; b < in.B; ++b) {
      TextureSums sums = {0, 0};
      for (int64_t task = b * tasks.blocks; task < (b + 1) * tasks.blocks; ++task) {
        sums.difference += parts[static_cast<size_t>(task)].difference;
        sums.weight += parts[static_cast<size_t>(task)].weight;
      }
      mutable_pointer<T>(difference)[b] = static_cast<T>(sums.difference);
      mutable_pointer<T>(weight)[b] = static_cast<T>(sums.weight);
    }
  });
  return {difference, weight};
}

template <class T>
void gradient_cpu(
    const TextureTasks& tasks, const TexturePair<T>& pair, const SumsGradient<T>& sums, const MaskedGradient<T>& a,
    const MaskedGradient<T>& b) {
  const auto kernel = STN_CHOOSE_KERNEL(texture_gradient_of_rows<T>);
  tasks.run([&](int64_t, const TextureRows& rows) {
    if (a.texture != nullptr || a.mask != nullptr) {
      kernel(pair, sums, a, rows);
    }
    if (b.texture != nullptr || b.mask != nullptr) {
      kernel(pair.swapped(), sums, b, rows);
    }
  });
}

std::tuple<Tensor, Tensor> texture_difference_cpu(
    const Tensor& texture_a, const Tensor& mask_a, const Tensor& texture_b, const Tensor& mask_b, bool mirror) {
  return sums_cpu(TextureInputs(texture_a, mask_a, texture_b, mask_b, mirror));
}

std::tuple<Tensor, Tensor, Tensor, Tensor> texture_difference_backward_cpu(
    const Tensor& grad_difference, const Tensor& grad_weight, const Tensor& texture_a, const Tensor& mask_a,
    const Tensor& texture_b, const Tensor& mask_b, bool mirror, bool texture_a_needed, bool mask_a_needed,
    bool texture_b_needed, bool mask_b_needed) {
  const TextureInputs in(texture_a, mask_a, texture_b, mask_b, mirror);
  const TextureSumsGradient sums(in, grad_difference, grad_weight);
  const MaskedTextureGradient a(in, texture_a_needed, mask_a_needed), b(in, texture_b_needed, mask_b_needed);
  dispatch_floating(in.texture_a, "texture_difference_backward", [&](auto type) {
    using T = decltype(type);
    gradient_cpu<T>(TextureTasks(in), in.pair<T>(), sums.params<T>(1), a.params<T>(), b.params<T>());
  });
  return {a.texture, a.mask, b.texture, b.mask};
}

std::tuple<Tensor, Tensor> texture_asymmetry_cpu(const Tensor& texture, const Tensor& mask) {
  return sums_cpu(mirrored_inputs(texture, mask));
}

std::tuple<Tensor, Tensor> texture_asymmetry_backward_cpu(
    const Tensor& grad_difference, const Tensor& grad_weight, const Tensor& texture, const Tensor& mask,
    bool texture_needed, bool mask_needed) {
  const TextureInputs in = mirrored_inputs(texture, mask);
  const TextureSumsGradient sums(in, grad_difference, grad_weight);
  const MaskedTextureGradient both(in, texture_needed, mask_needed);
  dispatch_floating(in.texture_a, "texture_asymmetry_backward", [&](auto type) {
    using T = decltype(type);
    gradient_cpu<T>(TextureTasks(in), in.pair<T>(), sums.params<T>(2), both.params<T>(), {nullptr, nullptr});
  });
  return {both.texture, both.mask};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("texture_difference", TORCH_BOX(&stn::texture_difference_cpu));
  library.impl("texture_difference_backward", TORCH_BOX(&stn::texture_difference_backward_cpu));
  library.impl("texture_asymmetry", TORCH_BOX(&stn::texture_asymmetry_cpu));
  library.impl("texture_asymmetry_backward", TORCH_BOX(&stn::texture_asymmetry_backward_cpu));
}
