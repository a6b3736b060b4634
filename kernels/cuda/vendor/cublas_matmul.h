#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "kernels/cuda/vendor/cublas_api.h"
#include "kernels/cuda/vendor/products.h"

namespace counterfoil::cuda {

/// What an algorithm is chosen by: y = op(a) op(b), `batch` times, then bias and relu.
struct MatrixProduct {
  std::int64_t batch = 1, rows = 0, columns = 0, depth = 0;
  bool transpose_a = false, transpose_b = false, bias = false, relu = false;

  auto operator<=>(const MatrixProduct&) const = default;
  std::string to_string() const;  ///< "matmul of 1 x [64, 400] [400, 120]"
};

/// The matrix products of Products by cuBLASLt.
class CublasMatmul {
 public:
  /// Throws Error where cuBLAS cannot start.
  CublasMatmul(Device& device, cudaStream_t stream, bool tf32);
  ~CublasMatmul();
  CublasMatmul(const CublasMatmul&) = delete;
  CublasMatmul& operator=(const CublasMatmul&) = delete;

  Done matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
              Activation activation, Compute compute);

  static std::string version();  ///< "13.1.0"

 private:
  struct Algorithm {
    cublasLtMatmulAlgo_t algorithm;
    std::size_t workspace;
  };

  Device& device_;
  cudaStream_t stream_;
  bool tf32_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<MatrixProduct, std::optional<Algorithm>> algorithms_;
};

}  // namespace counterfoil::cuda
