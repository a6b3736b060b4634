#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace counterfoil::app {

/// Sees when a generator has stopped looking at its input and draws the same for most, black images for example. Its
/// losses stay finite then, and nothing brings it back: units that are dead have no gradient. The few inputs that still
/// get something of their own do not hide the others.
class CollapseWatch {
 public:
  static constexpr std::int64_t kInterval = 10;   ///< steps between two looks
  static constexpr std::int64_t kPatience = 100;  ///< steps of sameness after which it is a collapse
  /// Root mean square difference of two images, of values in a range of 1 or 2, below which they count as the same: a
  /// step of an 8-bit image. What is left of a query in a black image is often fainter.
  static constexpr double kSame = 1.0 / 255;
  /// The part of a batch that is the same in a collapse. More than one class of two: a mask may rightly be empty for
  /// all images that have nothing to take away.
  static constexpr double kMost = 0.75;

  /// Looks at what was drawn at a step; several named tensors [N,...].
  void look(std::int64_t step, const std::vector<std::pair<std::string, Tensor>>& drawn);
  /// Whether something drawn at the last look was the same for most inputs; what is trained then is not worth keeping.
  bool doubtful() const { return !same_since_.empty(); }
  /// What and since when, of the longest; defined while doubtful().
  std::string finding() const;
  /// Whether that has lasted for kPatience steps.
  bool collapsed(std::int64_t step) const;

 private:
  std::vector<std::pair<std::string, std::int64_t>> same_since_;  // the longest first
};

/// The largest part of the rows that lie within a distance of one of them, itself included: the root mean square
/// difference of their elements is less than `within`. Nothing for fewer than two rows.
std::optional<double> part_alike(const Tensor& rows, double within);

}  // namespace counterfoil::app
