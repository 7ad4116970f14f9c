// Compiles the file that STN_KERNELS names once for each instruction set, into stn::baseline, stn::avx2 and
// stn::avx512. That file has no include guard, includes only others of its kind, and opens namespace stn { namespace
// STN_INSTRUCTIONS {. Functions from other headers are baseline code or, where STN_HD, inlined here: no symbol of one
// instruction set can stand in for another's at link time. The tuning is named because GCC's generic one never uses
// gathers.

#include "common/instruction_set.h"
#include "common/macros.h"

#ifndef STN_KERNELS
#error "define STN_KERNELS before including common/each_instruction_set.h"
#endif

#define STN_INSTRUCTIONS baseline
#include STN_KERNELS
#undef STN_INSTRUCTIONS

#ifdef STN_MULTIPLE_INSTRUCTION_SETS
#pragma GCC push_options
#pragma GCC target("avx2,fma,tune=haswell")
#define STN_INSTRUCTIONS avx2
#include STN_KERNELS
#undef STN_INSTRUCTIONS
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512,tune=icelake-server")
#define STN_INSTRUCTIONS avx512
#include STN_KERNELS
#undef STN_INSTRUCTIONS
#pragma GCC pop_options
#endif
