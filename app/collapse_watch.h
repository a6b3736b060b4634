#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nn/trainable.h"

namespace counterfoil::app {

/// Sees when a generator has stopped looking at its input and draws the same for most, black images for example, or one
/// image per class that is asked for. Its losses stay finite then, and nothing brings it back: units that are dead have
/// no gradient, and a classifier may be content with one image per class. The few inputs that still get something of
/// their own do not hide the others.
class CollapseWatch {
 public:
  static constexpr std::int64_t kInterval = 10;   ///< steps between two looks
  static constexpr std::int64_t kPatience = 100;  ///< steps of sameness after which it is a collapse
  /// The same where the images differ between classes. Trainings come to one image per class and leave it, sooner or
  /// later by their rates, so that long ones are given a quarter of their steps.
  static constexpr std::int64_t kPatienceByWay = 500;
  /// Root mean square difference of two images, of values in a range of 1 or 2, below which they count as the same: a
  /// step of an 8-bit image. What is left of a query in a black image is often fainter.
  static constexpr double kSame = 1.0 / 255;
  /// The part of a batch that is the same in a collapse. More than one class of two: a mask may rightly be empty for
  /// all images that have nothing to take away.
  static constexpr double kMost = 0.75;

  /// `steps`: of the whole training.
  explicit CollapseWatch(std::int64_t steps) : patience_by_way_(std::max(kPatienceByWay, steps / 4)) {}

  /// Looks at what was drawn at a step.
  void look(std::int64_t step, const std::vector<nn::Drawn>& drawn);
  /// Whether something drawn at the last look was the same for most inputs; what is trained then is not worth keeping.
  bool doubtful() const { return !found_.empty(); }
  /// What and since when, of what lasted for too long already, or else longest; defined while doubtful().
  std::string finding(std::int64_t step) const;
  /// Whether something has lasted for too long.
  bool collapsed(std::int64_t step) const;

 private:
  struct Same {
    std::string what;
    std::int64_t since, patience;
  };
  const Same& worst(std::int64_t step) const;

  std::int64_t patience_by_way_;
  std::vector<Same> found_;
};

/// The largest part of the rows that lie within a distance of one of them, itself included: the root mean square
/// difference of their elements is less than `within`. With a group for each row, the rows of a group are compared with
/// each other alone, and the part is that of all groups together; those of a group below 0, and single ones, are left
/// out. Nothing where there are no two rows to compare.
std::optional<double> part_alike(const Tensor& rows, double within, const std::vector<std::int64_t>& groups = {});

}  // namespace counterfoil::app
