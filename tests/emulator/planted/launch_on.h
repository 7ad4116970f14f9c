// How the planted kernels are launched: by the wrapper that the operators use.
#pragma once

#include "common/launch.h"
#include "planted/planted.h"

namespace planted {

template <int Threads, class T>
Launch launch_on(void (*kernel)(T*)) {
  return [kernel](void* data, int64_t blocks) {
    stn::launch<Threads>("planted", nullptr, blocks, kernel, static_cast<T*>(data));
  };
}

}  // namespace planted
