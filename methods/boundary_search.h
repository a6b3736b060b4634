#pragma once

#include "methods/augmented_lagrangian.h"
#include "methods/latent_search.h"

// Eq. 2 of CDeepEx (methods/cdeepex.h), with or without its inequalities.
//
//   symbol                         here
//   l = llh(f(G(z) - Delta z_0))   log_probabilities [M,K]: their differences are those of the logits
//   y_true, y_probe                classes, targets, i32 [M]

namespace counterfoil::methods {

struct BoundaryConfig {
  double margin = 0;          ///< logits by which y_probe is to be ahead of y_true; the paper's boundary is 0
  double epsilon = 0;         ///< logits by which a third class may be ahead; its value is lost in the paper's print
  double penalty = 1;         ///< c at first; not in the paper, like the next
  double penalty_growth = 2;  ///< of c, where a round brings the constraints less than half as near

  void declare(nn::Keys& keys);  ///< all but epsilon
};

/// h = l(y_true) - l(y_probe) + margin, [M,1].
Variable boundary_constraint(const Variable& log_probabilities, const Tensor& classes, const Tensor& targets,
                             double margin);
/// g = l(i) - l(y_true) - epsilon and l(i) - l(y_probe) - epsilon for every i but y_true and y_probe, [M,2K]; the
/// columns of these two hold the constant -1, which is met.
Variable third_class_constraints(const Variable& log_probabilities, const Tensor& classes, const Tensor& targets,
                                 double epsilon);

/// z_e = argmin ||z - z_0||^2 subject to h = 0 and, with `third_classes`, g <= 0. `shown` draws what the classifier
/// sees. Violation: max(|h|, g).
Found find_boundary(const LatentSearchConfig& search_config, const BoundaryConfig& config, bool third_classes,
                    nn::Classifier& classifier, const Search& search,
                    const std::function<Variable(const Variable& z)>& shown);

}  // namespace counterfoil::methods
