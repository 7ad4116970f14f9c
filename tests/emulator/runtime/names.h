// Names for people: of kernels, and of places in the source.
#pragma once

#include <string>

namespace emulator {

// "sample_kernel<float>" of a kernel's address; its address if there are no symbols.
std::string kernel_name(const void* kernel);

// "common/vectors.h:75 in sample/sample_cuda.cu:88" of a return address in kernel code: the line, and where that was
// inlined into a kernel.
std::string source_line(const void* return_address);

// The last two parts of a path.
std::string short_path(const std::string& path);

}  // namespace emulator
