// The emulator's controls, for tests: in which order threads run, what was launched, and failures on demand.
// Python has the same by bindings.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace emulator {

// "plain", "race" (plain accesses are watched) or "address" (AddressSanitizer), by how the kernels were compiled.
const char* variant();

// "forward", "reverse" or "shuffled": the order of blocks, and that of a block's threads after each barrier. Each
// launch's shuffle follows from the seed and from the number of launches since this call. At first: shuffled, 0.
void set_order(const std::string& order, uint64_t seed);

// Launches that ran since the library was loaded; a launch that failed to start does not count.
int64_t launches();
// The names of the kernels that ran since the library was loaded, sorted.
std::vector<std::string> kernels();

// Lets the next launch return this cudaError_t instead of running.
void fail_next_launch(int status);

}  // namespace emulator
