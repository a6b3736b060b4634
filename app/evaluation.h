#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/explaining.h"
#include "nn/models/vae_embedding.h"

namespace counterfoil::app {

/// The figures of one explainer of a two-class problem on test images.
struct Evaluation {
  std::string run, method;
  std::int64_t images = 0;
  std::optional<double> acc_stable;         ///< acc_s: where the method has stable images
  double acc_adversarial = 0;               ///< acc_a
  double distance_l1 = 0, distance_l2 = 0;  ///< of the counterfactuals to their queries
  /// Measured in an embedding's codes, where one is given: index i is for counterfactuals of images decided i against
  /// the real images decided 1 - i, and for stable images of images decided i against the real images decided i.
  struct Direction {
    std::int64_t images = 0;
    double fd_mu = 0;
    std::optional<double> js, fd_mu_stable,
        js_stable;  ///< js is undefined where the codes lie on a line (a collapsed generator)
  };
  std::vector<Direction> directions;
};

/// Evaluates several explainers of one classifier on the same images; the plane of JS is fitted once, on the real codes
/// and those of all of them (Charachon et al., section 6.3). `embedding` may be null. Throws Error when a direction has
/// fewer than 3 images.
std::vector<Evaluation> evaluate(std::vector<ExplainerRun>& explainers, const Tensor& images,
                                 nn::VaeEmbedding* embedding);

/// JSON: for one evaluation an object with acc_stable, acc_adversarial, distance_l1, distance_l2, and with an embedding
/// fd_mu and js (means over the two directions) and "directions"; what was not measured is null. For several, {"runs":
/// [objects]}.
std::string to_json(const std::vector<Evaluation>& evaluations);

}  // namespace counterfoil::app
