#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "tensor/tensor.h"

namespace counterfoil {

/// A named stream of random numbers with a position: the whole state is (seed, stream, position), so it can be saved in
/// a checkpoint and resumed exactly. Streams with different names are independent; the values never depend on the
/// device.
class Random {
 public:
  Random(std::uint64_t seed, std::string_view stream_name);

  Tensor uniform(const Shape& shape, double low, double high, Device& device, DType dtype = DType::f32);
  Tensor normal(const Shape& shape, double mean, double deviation, Device& device, DType dtype = DType::f32);
  /// Reserves words of the stream and returns the first one's position (dropout keeps it for its derivative).
  std::uint64_t reserve(std::uint64_t words);
  RandomKey key() const { return key_; }

  double uniform();                                           ///< one host number in [0, 1)
  std::uint64_t integer(std::uint64_t bound);                 ///< one host number in [0, bound), unbiased
  std::vector<std::int32_t> permutation(std::int32_t count);  ///< of 0 .. count - 1 (Fisher-Yates)

  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) { position_ = position; }

 private:
  RandomKey key_;
  std::uint64_t position_ = 0;
};

}  // namespace counterfoil
