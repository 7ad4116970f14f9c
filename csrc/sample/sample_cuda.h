// Launchers of the sampling kernels.
#pragma once

#include "common/cuda_stream.h"
#include "sample/image_gradient.h"
#include "sample/sample_params.h"

namespace stn {

template <class T, class I>
void launch_sample(const SampleParams<T, I>& params, CudaStream stream);

// The gradient to the points unless params.grad_points is nullptr, and to the image unless gradient.grad_image is.
template <class T, class I>
void launch_sample_backward(const SampleParams<T, I>& params, const ImageGradient<T, I>& gradient, CudaStream stream);

}  // namespace stn
