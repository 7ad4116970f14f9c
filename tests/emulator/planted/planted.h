// Kernels with a planted mistake, each beside its corrected twin, and kernels with results known by hand
// (tests/test_emulator.py).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace planted {

// Launches `blocks` blocks on an array that the kernel reads and writes.
using Launch = std::function<void(void* data, int64_t blocks)>;
using Launches = std::map<std::string, Launch>;

Launches synchronisation();  // synchronisation.cu
Launches races();            // races.cu
Launches memory();           // memory.cu
Launches warps();            // warps.cu
Launches atomics();          // atomics.cu

}  // namespace planted
