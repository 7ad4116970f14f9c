// What the CUDA library was built for, and what this machine's driver can run.
#pragma once

namespace stn {

struct CudaBuild {
  const char* architectures;  // "sm_80, sm_90, compute_90": machine code for these, PTX for the last
  int toolkit;                // 1000 major + 10 minor, as CUDA numbers its versions
  int driver;                 // the newest CUDA version that the driver serves; 0 without a driver
};

CudaBuild cuda_build();

}  // namespace stn
