// The part of CUDA's runtime and device language that this project's kernels use, for g++: the emulator's stand-in for
// NVIDIA's header of this name. A kernel is an ordinary function here; each thread calls it on a fibre of its own.
// What kernels must not rely on is left out, so that it does not compile (README.md).
#pragma once

#include <math.h>  // nvcc has its functions without std:: too

#include "emulator/vector_types.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __shared__ static  // blocks run one after another, so one copy will do; gathered by runtime/shared_memory.ld
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)

#include "emulator/atomics.h"
#include "emulator/device_functions.h"
#include "emulator/host_functions.h"
#include "emulator/synchronisation.h"
