#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace counterfoil::app {

/// Sees when a generator has stopped looking at its input and draws the same for all, black images for example. Its
/// losses stay finite then, and nothing brings it back: units that are dead have no gradient.
class CollapseWatch {
 public:
  static constexpr std::int64_t kInterval = 10;   ///< steps between two looks
  static constexpr std::int64_t kPatience = 100;  ///< steps of sameness after which it is a collapse
  /// Root mean square deviation from the mean of the batch, of values in a range of 1 or 2, below which what is drawn
  /// counts as the same: a quarter of a step of an 8-bit image.
  static constexpr double kSame = 1e-3;

  /// Looks at what was drawn at a step; several named tensors [N,...].
  void look(std::int64_t step, const std::vector<std::pair<std::string, Tensor>>& drawn);
  /// Whether something drawn at the last look was the same for all inputs; what is trained then is not worth keeping.
  bool doubtful() const { return !same_since_.empty(); }
  /// What and since when, of the longest; defined while doubtful().
  std::string finding() const;
  /// Whether that has lasted for kPatience steps.
  bool collapsed(std::int64_t step) const;

 private:
  std::vector<std::pair<std::string, std::int64_t>> same_since_;  // the longest first
};

/// Root mean square deviation of the elements from the mean over the first axis; nothing for fewer than two rows.
std::optional<double> spread(const Tensor& rows);

}  // namespace counterfoil::app
