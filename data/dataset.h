#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace counterfoil::data {

/// Labelled images, held on the host as 8 bits.
struct Dataset {
  std::int64_t height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;      ///< [N,H,W,C]
  std::vector<std::int32_t> labels;      ///< [N], 0 .. class_names.size() - 1
  std::vector<std::string> class_names;  ///< "3", "8", "coat", ...

  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
  /// Images at the given positions as f32 [M,H,W,C] in [0,1]. Throws Error on a position outside [0, size()).
  Tensor images(const std::vector<std::int32_t>& positions, Device& device) const;
  Tensor all_images(Device& device) const;
  /// The images at the given positions, as a dataset.
  Dataset subset(const std::vector<std::int32_t>& positions) const;
};

/// Disjoint parts of one source.
struct Splits {
  Dataset train, validation, test;
};

}  // namespace counterfoil::data
