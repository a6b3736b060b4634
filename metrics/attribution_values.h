#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

// What the metrics of attributions read. An attribution has a value for each feature: [N,H,W,C], f32 or f64, where a
// feature is a channel of a pixel, or as a map [N,H,W,1], where it is a pixel with all its channels. Who made it does
// not matter. `who` begins the errors' text.

namespace counterfoil::metrics {

/// Attributions in double on the host.
struct AttributionValues {
  Shape shape;  ///< [N,H,W,C], or [N,H,W,1] of maps
  std::vector<double> values;

  std::int64_t images() const { return shape[0]; }
  std::int64_t features() const { return shape[1] * shape[2] * shape[3]; }  ///< of an image
  std::span<const double> of(std::int64_t image) const;                     ///< [features()], in order of storage
};

/// Throws Error on another rank or dtype, on no image or no feature, and on a value that is not finite.
AttributionValues attribution_values(const Tensor& attributions, const char* who);

/// One value for each pixel, [N,H,W,1]: the sum over its channels.
AttributionValues pixel_values(AttributionValues attributions);

/// Throws Error unless the attributions are of the images x [N,H,W,C], of floats in [0,1] (but for rounding).
void check_explained(const AttributionValues& attributions, const Tensor& x, const char* who);

/// The features from the highest value to the lowest, equal ones in order of storage (row, column, channel).
std::vector<std::int64_t> from_highest(std::span<const double> values);

/// |a| of each.
std::vector<double> absolute(std::span<const double> values);

}  // namespace counterfoil::metrics
