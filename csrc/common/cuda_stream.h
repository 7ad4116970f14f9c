// The stream that a launcher gets: the CUDA runtime's cudaStream_t, for files that see no CUDA header.
#pragma once

struct CUstream_st;

namespace stn {

using CudaStream = CUstream_st*;

}  // namespace stn
