// The Python module of the library that holds the operators' emulated kernels.
#include "bindings.h"

PYBIND11_MODULE(stn3dmm_emulator, module) {
  emulator::bind_controls(module);
}
