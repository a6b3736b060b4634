#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include <Eigen/Core>

#include "kernels/view.h"
#include "methods/attributions/perturbation.h"

// How pixels hang together with those around them: a normal distribution of patches, for the .cpp files of this floor.

namespace counterfoil::methods {

/// The multivariate normal distribution of the patches of side x side pixels, all channels, of a set of images, the
/// same everywhere in an image (Zintgraf et al. 2017, section 3.1). Features are in the order row, column, channel.
class PatchNormal {
 public:
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  /// Fitted on `values` of images [B,H,W,C]: on every patch, or where they are more than `most_patches` on so many that
  /// the seed draws, with replacement. Throws Error on patches larger than the images, of more than 4096 features, and
  /// on fewer than 2 of them.
  PatchNormal(std::span<const double> values, const Shape& images, std::int64_t side, std::int64_t most_patches,
              std::uint64_t seed);

  /// A window's features given the rest of its patch: mean + gain (rest - rest's mean), and factor factor' their
  /// covariance.
  struct Conditional {
    std::vector<std::int64_t> inner, rest;  ///< features of the patch
    Matrix gain, factor;
  };
  /// Of a window at (row, column) of its patch, extending over rows x columns; made once each.
  const Conditional& conditional(std::int64_t row, std::int64_t column, std::int64_t rows, std::int64_t columns);

  /// Draws the window of an image [H,W,C] given the patch around it, which is the window in the middle or, near the
  /// edge, moved into the image. `normals` are independent standard normal numbers, one for each feature of the window;
  /// returns those features, within the range of the images it was fitted on.
  std::vector<double> draw(std::span<const double> image, const Window& window, std::span<const double> normals);

 private:
  Shape images_;
  std::int64_t side_, features_;
  double low_, high_;
  Eigen::VectorXd mean_;
  Matrix covariance_;
  std::map<std::array<std::int64_t, 4>, Conditional> conditionals_;
};

}  // namespace counterfoil::methods
