#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "kernels/cuda/route_table.h"
#include "kernels/cuda/vendor/products.h"

namespace counterfoil::cuda {

/// Decides which implementation runs a product: the own kernels, or NVIDIA's libraries where they have a suitable
/// engine. The choice depends on the route and the extents alone, never on a time measured in the same run but with
/// "benchmark:FILE", which writes its choices down: a run with "table:FILE" repeats them.
class Router {
 public:
  /// Begins with "own"; open_device chooses (kernels/route.h).
  Router(Device& device, cudaStream_t stream);

  /// kernels/route.h documents the routes. Throws Error, and changes nothing, on an unknown one and where the
  /// libraries or the file cannot be had.
  void set(std::string_view route);
  std::string description() const;  ///< "products by cuDNN 9.19.0, cuBLAS 13.1.0"

  // One product each: by the libraries, or by `own`, which queues the own kernels and may be called several times.

  void matmul(Backend& backend, View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
              Activation activation, double slope, Compute compute, const std::function<void()>& own);
  void conv2d(Backend& backend, View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
              Activation activation, double slope, const std::function<void()>& own);
  void conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry,
                         const std::function<void()>& own);
  void conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry,
                          const std::function<void()>& own);

 private:
  /// `vendor` is false where it did nothing; `key` names the product and its extents in a table.
  void run(const std::function<std::string()>& key, const std::function<bool(Products&)>& vendor,
           const std::function<void()>& own);
  double microseconds(const std::function<void()>& product) const;
  bool measured_best(const std::string& key, const std::function<bool(Products&)>& vendor,
                     const std::function<void()>& own);

  Device& device_;
  cudaStream_t stream_;
  std::unique_ptr<Products> products_;  // null: own kernels alone
  std::unique_ptr<RouteTable> table_;   // null: the libraries wherever they can
  bool measures_ = false;               // and adds to the table
  std::string why_own_;
};

/// The router of this library's one device, made by the first call.
Router& router(Device& device, cudaStream_t stream);

}  // namespace counterfoil::cuda
