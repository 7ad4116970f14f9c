// The emulator's controls for Python (runtime/emulator.h); a module adds them to itself.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "runtime/emulator.h"

namespace emulator {

inline void bind_controls(pybind11::module_& module) {
  using namespace pybind11::literals;
  module.def("variant", &variant);
  module.def("set_order", &set_order, "order"_a, "seed"_a = 0);
  module.def("launches", &launches);
  module.def("kernels", &kernels);
  module.def("fail_next_launch", &fail_next_launch, "status"_a);
}

}  // namespace emulator
