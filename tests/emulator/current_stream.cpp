// What libtorch_cuda has and a CPU PyTorch lacks: the current stream, of which the emulator has but one.
#include <torch/csrc/inductor/aoti_torch/c/shim.h>

AOTITorchError aoti_torch_get_current_cuda_stream(int32_t, void** stream) {
  *stream = nullptr;
  return AOTI_TORCH_SUCCESS;
}
