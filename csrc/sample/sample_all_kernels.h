// What sample_cpu.cpp compiles for each instruction set.
#include "common/lanes_kernels.h"
#include "sample/sample_kernels.h"
