// What sample_cpu.cpp compiles for each instruction set.
#include "sample/gather_kernels.h"
#include "sample/sample_kernels.h"
