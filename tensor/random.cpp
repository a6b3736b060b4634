#include "tensor/random.h"

#include <limits>
#include <utility>

#include "kernels/philox.h"
#include "tensor/ops.h"

namespace counterfoil {

namespace {

/// FNV-1a over 64 bits: a fixed number for a stream's name.
std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

}  // namespace

Random::Random(std::uint64_t seed, std::string_view stream_name) : key_{seed, stream_of(stream_name)} {}

std::uint64_t Random::reserve(std::uint64_t words) {
  const std::uint64_t first = position_;
  position_ += words;
  return first;
}

Tensor Random::uniform(const Shape& shape, double low, double high, Device& device, DType dtype) {
  const std::uint64_t first = reserve(static_cast<std::uint64_t>(shape.size()));
  return random_uniform(shape, key_, first, low, high, dtype, device);
}

Tensor Random::normal(const Shape& shape, double mean, double deviation, Device& device, DType dtype) {
  const std::uint64_t first = reserve(static_cast<std::uint64_t>(shape.size()));
  return random_normal(shape, key_, first, mean, deviation, dtype, device);
}

double Random::uniform() {
  return philox::to_uniform(philox::word(key_, reserve(1)));
}

std::uint64_t Random::integer(std::uint64_t bound) {
  if (bound == 0) fail("random integer: expected a bound of at least 1");
  // Drawn again below the remainder of 2^64, so that every value is equally likely.
  const std::uint64_t rejected = (std::numeric_limits<std::uint64_t>::max() - bound + 1) % bound;
  for (;;) {
    const std::uint64_t first = reserve(2);
    const std::uint64_t high = philox::word(key_, first), low = philox::word(key_, first + 1);
    const std::uint64_t value = (high << 32) | low;
    if (value >= rejected) return value % bound;
  }
}

std::vector<std::int32_t> Random::permutation(std::int32_t count) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(count));
  for (std::int32_t i = 0; i < count; ++i) order[static_cast<std::size_t>(i)] = i;
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[integer(i)]);
  return order;
}

}  // namespace counterfoil
