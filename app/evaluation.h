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
  std::optional<double> acc_stable;      ///< acc_s: where the method has stable images, or else reconstructions
  double acc_adversarial = 0;            ///< acc_a
  double flip_rate = 0;                  ///< 1 - acc_a
  std::optional<double> acc_target;      ///< decided as asked; where the method asks for a class
  std::optional<double> mask_size;       ///< mean of the masks, where the method draws any
  std::optional<double> mask_nonzero;    ///< part of their elements that are not 0 (metrics/mask_nonzero.h)
  double seconds_per_image = 0;          ///< wall time of the explanations, the classifier's answers to them included
  std::optional<TrainingCost> training;  ///< as its run directory says
  std::size_t peak_memory = 0;           ///< bytes: the most that the explanations held on the device at once
  double distance_l1 = 0, distance_l2 = 0;  ///< of the counterfactuals to their queries
  std::string embedding, identity;          ///< run directories of the embeddings, where one is given
  std::optional<double> fva;  ///< of all counterfactuals, in the identity's codes (metrics/verification.h)
  /// Measured in an embedding's codes, where one is given, of the counterfactuals towards each class against the real
  /// images decided so. Of two classes, those from class 0 come first, and stable images of images decided i are
  /// measured against the real images decided i. Of several, classes with fewer than 3 such images are left out.
  struct Direction {
    std::optional<int> from;  ///< of two classes
    int to = 0;
    std::int64_t images = 0;       ///< the counterfactuals: among so many each query looks for its own in lsc
    std::int64_t real_images = 0;  ///< that they are compared with in fd_mu and js
    bool rank_deficient = false;   ///< either are no more than the codes have dimensions (metrics/frechet_distance.h)
    double lsc = 0;                ///< in the identity's codes, delta being the way to this class
    double fd_mu = 0;
    std::optional<double> js;  ///< undefined where the codes lie on a line (a collapsed generator)
    std::optional<double> fd_mu_stable, js_stable;
  };
  std::vector<Direction> directions;

  std::optional<double> fd_mu() const;  ///< mean over the directions
  std::optional<double> js() const;     ///< the same; nothing where it is undefined in one
  std::optional<double> lsc() const;    ///< of the images of all directions
  /// The fewest of a direction: what lsc is to be quoted with.
  std::optional<std::int64_t> lsc_candidates() const;
};

/// The embeddings that distributions (fd_mu, js) and identities (lsc, fva) are compared in: both, or neither.
struct Embeddings {
  nn::VaeEmbedding* distributions = nullptr;
  nn::VaeEmbedding* identity = nullptr;
};

/// Evaluates several explainers of one classifier on the same images; the plane of JS is fitted once, on the real codes
/// and those of all of them (Charachon et al., section 6.3). Throws Error when their classifiers decide the images
/// differently, or one of two classes has fewer than 3 images.
std::vector<Evaluation> evaluate(std::vector<ExplainerRun>& explainers, const Tensor& images,
                                 const Embeddings& embeddings);

/// JSON: for one evaluation an object with acc_stable, acc_adversarial, acc_target, flip_rate, distance_l1,
/// distance_l2, mask_size, mask_nonzero, seconds_per_image, peak_memory_mib, "training" with steps, seconds and
/// peak_memory_mib, and with embeddings their folders "embedding" and "identity", fva, fd_mu and js (means over the
/// directions), lsc, lsc_candidates and "directions", each with from (of two classes), to, images, real_images,
/// rank_deficient, fd_mu, js, fd_mu_stable, js_stable and lsc; what was not measured is null. For several, {"runs":
/// [objects]}.
std::string to_json(const std::vector<Evaluation>& evaluations);

/// A Markdown table with a row per evaluation, the methods' names first; what was not measured is "-".
std::string to_markdown(const std::vector<Evaluation>& evaluations);

}  // namespace counterfoil::app
