#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// The plane of the two largest principal components of a set of codes.
class PrincipalPlane {
 public:
  /// Fitted on the rows of `samples` [N,D], N >= 3, D >= 2. Charachon et al. fit it on the real codes and those of all
  /// the methods compared, so that one plane serves them all. Each axis is oriented so that its largest coefficient is
  /// positive.
  explicit PrincipalPlane(const Tensor& samples);
  /// Coordinates [N,2] (f64, on the reference device) of codes [N,D].
  Tensor project(const Tensor& codes) const;
  const std::vector<double>& variances() const { return variances_; }  ///< along the two axes

 private:
  std::vector<double> mean_, axes_;  // [D], [2,D]
  std::vector<double> variances_;
};

/// Jensen-Shannon distance of two sets of points a [N,2] and b [M,2]: the square root of the base-2 divergence, in
/// [0,1], of their Gaussian kernel densities (bandwidth by Scott's rule: covariance times n^(-1/3)) on a grid x grid
/// raster over the joint range, each normalised to sum 1 there. (Charachon et al., section 6.3; Endres and Schindelin
/// 2003.) Throws Error on fewer than 3 points or points on one line (a singular covariance).
double jensen_shannon_distance(const Tensor& a, const Tensor& b, int grid = 100);

}  // namespace counterfoil::metrics
