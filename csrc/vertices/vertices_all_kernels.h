// What vertices_cpu.cpp compiles for each instruction set.
#include "common/rows_kernels.h"
#include "vertices/shape_kernels.h"
#include "vertices/vertices_kernels.h"
