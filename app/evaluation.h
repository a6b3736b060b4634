#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/explaining.h"
#include "nn/models/vae_embedding.h"

namespace counterfoil::app {

/// The figures of one explainer on test images.
struct Evaluation {
  std::string run, method;
  std::int64_t images = 0;
  std::optional<double> acc_stable;         ///< acc_s: where the method has stable images
  double acc_adversarial = 0;               ///< acc_a
  std::optional<double> acc_target;         ///< decided as asked; where the method asks for a class
  double distance_l1 = 0, distance_l2 = 0;  ///< of the counterfactuals to their queries
  /// Measured in an embedding's codes, where one is given, of the counterfactuals towards each class against the real
  /// images decided so. Of two classes, those from class 0 come first, and stable images of images decided i are
  /// measured against the real images decided i. Of several, classes with fewer than 3 such images are left out.
  struct Direction {
    std::optional<int> from;  ///< of two classes
    int to = 0;
    std::int64_t images = 0;
    double fd_mu = 0;
    std::optional<double> js, fd_mu_stable,
        js_stable;  ///< js is undefined where the codes lie on a line (a collapsed generator)
  };
  std::vector<Direction> directions;
};

/// Evaluates several explainers of one classifier on the same images; the plane of JS is fitted once, on the real codes
/// and those of all of them (Charachon et al., section 6.3). `embedding` may be null. Throws Error when one of two
/// classes has fewer than 3 images.
std::vector<Evaluation> evaluate(std::vector<ExplainerRun>& explainers, const Tensor& images,
                                 nn::VaeEmbedding* embedding);

/// JSON: for one evaluation an object with acc_stable, acc_adversarial, acc_target, distance_l1, distance_l2, and with
/// an embedding fd_mu and js (means over the directions) and "directions"; what was not measured is null. For several,
/// {"runs": [objects]}.
std::string to_json(const std::vector<Evaluation>& evaluations);

}  // namespace counterfoil::app
