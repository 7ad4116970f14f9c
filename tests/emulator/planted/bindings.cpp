// The Python module of the planted kernels.
#include <pybind11/numpy.h>

#include <stdexcept>

#include "bindings.h"
#include "planted/planted.h"

namespace {

const planted::Launches& all() {
  static const planted::Launches launches = [] {
    planted::Launches found;
    for (const auto& part :
         {planted::synchronisation(), planted::races(), planted::memory(), planted::warps(), planted::atomics()}) {
      found.insert(part.begin(), part.end());
    }
    return found;
  }();
  return launches;
}

// Changes `data` in place.
void run(const std::string& kernel, pybind11::array data, int64_t blocks) {
  const auto found = all().find(kernel);
  if (found == all().end()) {
    throw std::invalid_argument("no planted kernel " + kernel);
  }
  found->second(data.mutable_data(), blocks);
}

}  // namespace

PYBIND11_MODULE(planted_kernels, module) {
  using namespace pybind11::literals;
  emulator::bind_controls(module);
  module.def("run", &run, "kernel"_a, "data"_a.noconvert(), "blocks"_a = 1);
}
