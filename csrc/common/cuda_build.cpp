// The operator cuda_build, by which Python asks the CUDA library about itself.
#include "common/cuda_build.h"

#include <string>
#include <tuple>

#include "common/tensor.h"

namespace stn {
namespace {

std::tuple<std::string, int64_t, int64_t> cuda_build_operator() {
  const CudaBuild build = cuda_build();
  return {build.architectures, build.toolkit, build.driver};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_FRAGMENT(stn3dmm, library) {
  library.def("cuda_build() -> (str architectures, int toolkit_version, int driver_version)");
}

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CompositeExplicitAutograd, library) {
  library.impl("cuda_build", TORCH_BOX(&stn::cuda_build_operator));
}
