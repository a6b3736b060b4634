#pragma once

#include <functional>
#include <string>
#include <vector>

#include "methods/explainer.h"
#include "methods/latent_model.h"
#include "nn/classifier.h"

// What CDeepEx and xGEM share: an explanation is a walk in the codes of a latent model, made for each query when it is
// explained, from several starts. Training is that of the latent model alone.

namespace counterfoil::methods {

struct LatentSearchConfig {
  LatentConfig latent;
  std::int64_t restarts = 3;            ///< starts of each query; CDeepEx, figures 8 and 10
  std::int64_t fit_iterations = 300;    ///< of procedure 2; not in the paper
  double fit_learning_rate = 0.1;       ///< of Adam in procedure 2; not in the paper
  double weight_misclassification = 1;  ///< in procedure 2; not in the paper
  bool complete = true;                 ///< whether what G cannot draw of the query, -Delta z_0, is added
  std::int64_t rounds = 20;             ///< of the search; the path has a frame after each
  std::int64_t iterations = 25;         ///< steps of Adam in a round
  double learning_rate = 0.05;          ///< of Adam, falling to a tenth by the last round; not in the papers
  double tolerance = 0.1;               ///< logits by which a constraint may be missed when a restart is chosen

  void declare(nn::Keys& keys);
};

/// The rows of a search, M = queries x restarts, the restarts of a query next to each other.
struct Search {
  Tensor x;                 ///< I, [M,H,W,C]
  Tensor classes, targets;  ///< y_true = c_f(I) and y_probe, i32 [M]
  Tensor start;             ///< z_0, [M,code]
  Tensor residual;          ///< Delta z_0 = G(z_0) - I, [M,H,W,C]
};

/// What a search finds for each row.
struct Found {
  std::vector<Tensor> path;       ///< codes [M,code]: the start and the end of every round; the last are z_e
  std::vector<double> violation;  ///< by how many logits the row is short of what was asked
};

/// Minimises a loss of each row [M,1] over codes z [M,code], row by row, by `rounds` rounds of `iterations` steps of
/// Adam whose rate falls to a tenth; `after_round` is given the codes that a round ends with. Returns them all, the
/// start first.
std::vector<Tensor> descend(const Tensor& start, std::int64_t rounds, std::int64_t iterations, double learning_rate,
                            const std::function<Variable(const Variable& z)>& loss,
                            const std::function<void(const Tensor& z)>& after_round = {});

/// The row of each query's best restart: of those whose violation is within the tolerance the one with the smallest
/// misfit ||G(z_0) - I||^2, since z_0 is to be the argmin of eq. 1; where there is none, the one with the smallest
/// violation.
std::vector<std::int32_t> best_restarts(const std::vector<double>& violation, const std::vector<double>& misfit,
                                        std::int64_t restarts, double tolerance);

/// ||a - b||^2 per row, [M,...] twice -> [M,1].
Variable squared_distance(const Variable& a, const Variable& b);

/// The query in grey with what is added to it in red and what is taken away in blue (CDeepEx, figure 3): x [N,H,W,C]
/// and difference [N,H,W,C], in [-1,1] -> [N,H,W,3] in [0,1].
Tensor difference_picture(const Tensor& x, const Tensor& difference);

class LatentExplainer : public TargetedExplainer {
 public:
  std::vector<Tensor> draw() final { return latent_.draw(); }
  nn::DeviceTerms compute(const std::vector<Tensor>& batches) final;
  std::int64_t images_per_step() const final { return latent_.images_per_step(); }
  /// Begins with the latent model of another run instead of a new one: it does not depend on the classifier.
  void take_latent(LatentExplainer& other) { latent_.copy_from(other.latent_); }

  /// Of the best restart of each query (best_restarts):
  ///   "counterfactual"      G(z_e) - Delta z_0 clipped to [0,1], or G(z_e) where `complete` is off
  ///   "reconstruction"      G(z_0);  "generated": G(z_e)
  ///   "difference"          G(z_e) - G(z_0), [N,H,W,C] in [-1,1]: what to add, where positive, and to remove
  ///   "map"                 |difference|, the mean over channels
  ///   "picture"             difference_picture, [N,H,W,3]
  ///   "path"                counterfactuals after every round, the start first, [N,rounds + 1,H,W,C]
  ///   "path_probabilities"  f of each, [N,rounds + 1,K]
  ///   "restarts"            the counterfactual of every restart, [N,restarts,H,W,C]
  ///   "violation"           [N,1], logits: by how much what was asked is missed
  Explanation explain_towards(const Tensor& x, const Tensor& targets) final;

 protected:
  /// `classifier` outlives this. Throws Error when a latent model without an encoder is asked for 0 fit_iterations.
  LatentExplainer(const LatentSearchConfig& config, nn::Classifier& classifier, const data::Dataset& train,
                  std::uint64_t seed, Device& device);

  virtual Found find(const Search& search) = 0;

  /// The images that the classifier sees: [M,code] -> [M,H,W,C] in [0,1].
  Variable shown(const Search& search, const Variable& z);
  Variable generate(const Variable& z) { return latent_.generate(z); }

 private:
  Search begin(const Tensor& x, const Tensor& targets);
  Tensor starts(const Tensor& x);
  Tensor fit(const Search& search);

  LatentSearchConfig config_;
  std::uint64_t seed_;
  LatentModel latent_;
};

}  // namespace counterfoil::methods
