#include "metrics/attribution_values.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace counterfoil::metrics {

std::span<const double> AttributionValues::of(std::int64_t image) const {
  const auto size = static_cast<std::size_t>(features());
  return std::span(values).subspan(static_cast<std::size_t>(image) * size, size);
}

AttributionValues attribution_values(const Tensor& attributions, const char* who) {
  const Shape& shape = attributions.shape();
  const bool floats = attributions.dtype() == DType::f32 || attributions.dtype() == DType::f64;
  if (!floats || shape.rank() != 4 || shape.size() == 0) {
    fail("{}: attributions {} {}, expected f32 or f64 [N,H,W,C]", who, name_of(attributions.dtype()),
         shape.to_string());
  }
  AttributionValues found{shape, attributions.to_doubles()};
  const auto strange = std::ranges::find_if(found.values, [](double v) { return !std::isfinite(v); });
  if (strange != found.values.end()) {
    const std::int64_t place = strange - found.values.begin();
    fail("{}: an attribution is {} in image {} at row {}, column {}, channel {}", who, *strange,
         place / found.features(), place / (shape[2] * shape[3]) % shape[1], place / shape[3] % shape[2],
         place % shape[3]);
  }
  return found;
}

AttributionValues pixel_values(AttributionValues found) {
  const auto channels = static_cast<std::size_t>(found.shape[3]);
  for (std::size_t i = 0; i < found.values.size() / channels; ++i) {
    const auto pixel = std::span(found.values).subspan(i * channels, channels);
    found.values[i] = std::accumulate(pixel.begin(), pixel.end(), 0.0);
  }
  found.values.resize(found.values.size() / channels);
  found.shape = found.shape.with(3, 1);
  return found;
}

void check_explained(const AttributionValues& attributions, const Tensor& x, const char* who) {
  const Shape &shape = attributions.shape, &images = x.shape();
  const bool fits = images.rank() == 4 && shape[0] == images[0] && shape[1] == images[1] && shape[2] == images[2] &&
                    (shape[3] == images[3] || shape[3] == 1);
  if (!fits) {
    fail("{}: attributions {} of images {}, expected [N,H,W,C] or [N,H,W,1] of [N,H,W,C]", who, shape.to_string(),
         images.to_string());
  }
  if (x.dtype() != DType::f32 && x.dtype() != DType::f64) fail("{}: images of {}", who, name_of(x.dtype()));
  constexpr double kRounding = 1e-5;
  for (const double pixel : x.to_doubles()) {
    if (!(pixel >= -kRounding && pixel <= 1 + kRounding)) fail("{}: a pixel is {}, expected [0,1]", who, pixel);
  }
}

std::vector<std::int64_t> from_highest(std::span<const double> values) {
  std::vector<std::int64_t> order(values.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [&](std::int64_t i) { return values[static_cast<std::size_t>(i)]; });
  return order;
}

std::vector<double> absolute(std::span<const double> values) {
  std::vector<double> magnitudes(values.begin(), values.end());
  for (double& value : magnitudes) value = std::abs(value);
  return magnitudes;
}

}  // namespace counterfoil::metrics
