// What warp_cpu.cpp compiles for each instruction set.
#include "common/rows_kernels.h"
#include "vertices/shape_kernels.h"
#include "common/lanes_kernels.h"
#include "sample/sample_kernels.h"
#include "warp/warp_places_kernels.h"
#include "warp/warp_kernels.h"
