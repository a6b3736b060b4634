#include "metrics/pixel_noise.h"

#include <algorithm>

#include "tensor/random.h"

namespace counterfoil::metrics {

std::vector<double> pixel_noise(const Shape& images, std::uint64_t seed, std::int64_t image) {
  Random random(seed, fmt::format("pixel noise {}", image));
  const Shape one{images[1] * images[2] * images[3]};
  return random.uniform(one, 0, 1, reference_device(), DType::f64).to_vector<double>();
}

void replace_pixel(std::span<double> pixels, std::span<const double> others, std::int64_t pixel,
                   std::int64_t channels) {
  const auto first = static_cast<std::size_t>(pixel * channels), count = static_cast<std::size_t>(channels);
  std::ranges::copy(others.subspan(first, count), pixels.subspan(first).begin());
}

}  // namespace counterfoil::metrics
