#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernels/backend.h"
#include "kernels/cuda/dialect.h"
#include "kernels/device.h"

namespace counterfoil::cuda {

/// How much of a product a library has done.
enum class Done : std::uint8_t {
  nothing,             ///< it has no engine for this one
  without_activation,  ///< the activation is left to do, in place on the output
  everything,
};

/// The products of backend.h by NVIDIA's libraries, queued on one stream. Arguments are checked, f32 and not empty.
/// Only engines are used that keep the promises of backend.h: the same bits twice, and f32 multiplied as f32, unless
/// the object was made for TF32. Where there is none, nothing is done.
class Products {
 public:
  virtual ~Products() = default;
  virtual std::string description() const = 0;  ///< "cuDNN 9.19.0, cuBLAS 13.1.0"

  virtual Done matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
                      Activation activation, Compute compute) = 0;
  virtual Done conv2d(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
                      Activation activation) = 0;
  virtual Done conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry) = 0;
  virtual Done conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry) = 0;
};

/// Opens the libraries; `device` lends workspace and must outlive the result. Throws Error that says which of them
/// cannot be had and why.
std::unique_ptr<Products> open_products(Device& device, cudaStream_t stream, bool tf32);

}  // namespace counterfoil::cuda
