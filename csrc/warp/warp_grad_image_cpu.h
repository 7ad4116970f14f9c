// The gradient to the image, of which warp_backward_cpu.cpp makes use: a file of its own, to compile in parallel.
#pragma once

#include "warp/warp_params.h"

namespace stn {

// grad_image (B, C, H, W); params as for the gradient to theta.
template <class T, class I>
void grad_image_cpu(const WarpParams<T, I>& params, I* grad_image);

}  // namespace stn
