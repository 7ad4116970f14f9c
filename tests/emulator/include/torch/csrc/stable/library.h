// PyTorch's header, but what csrc registers on CUDA tensors is registered on CPU tensors, in a namespace of its own,
// so that it lives in one process beside the CPU's operators.
#pragma once

#include_next <torch/csrc/stable/library.h>

#define STN_EMULATED_NAMESPACE_stn3dmm stn3dmm_emulated
#define STN_EMULATED_KEY_CUDA CPU

// PyTorch's macros paste their arguments; these two pass them on expanded.
#define STN_EMULATED_IMPL(ns, k, m, uid) _STABLE_TORCH_LIBRARY_IMPL(ns, k, m, uid)
#define STN_EMULATED_FRAGMENT(ns, m, uid) _STABLE_TORCH_LIBRARY_FRAGMENT(ns, m, uid)

#undef STABLE_TORCH_LIBRARY_IMPL
#define STABLE_TORCH_LIBRARY_IMPL(ns, k, m) \
  STN_EMULATED_IMPL(STN_EMULATED_NAMESPACE_##ns, STN_EMULATED_KEY_##k, m, C10_UID)

#undef STABLE_TORCH_LIBRARY_FRAGMENT
#define STABLE_TORCH_LIBRARY_FRAGMENT(ns, m) STN_EMULATED_FRAGMENT(STN_EMULATED_NAMESPACE_##ns, m, C10_UID)

#undef STABLE_TORCH_LIBRARY
#define STABLE_TORCH_LIBRARY(ns, m) STABLE_TORCH_LIBRARY_FRAGMENT(ns, m)
