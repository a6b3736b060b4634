#pragma once

#include "methods/boundary_search.h"

// xGEM: S. Joshi, O. Koyejo, B. Kim, J. Ghosh, "xGEMs: Generating examplars to explain black-box models" (2018), which
// two of the papers compare with, each in its own form:
//
//   form cross-entropy   Singla et al., "Explanation by progressive exaggeration" (appendix A.2): a VAE, and
//                        min over z  ||I - G(z)||^2 + lambda CE(f(G(z)), y_probe), from z_0 = E(I)
//   form equality        CDeepEx (methods/cdeepex.h, section 4.1): eq. 2 without its last two families of constraints
//
//   symbol               here
//   E, G                 latent (methods/latent_model.h)
//   I, z_0, y_probe      x, Search::start, Search::targets
//   lambda               weight_classifier
//
// Numbered deviations:
//  1. Neither paper gives lambda nor the steps of the search. The distance is a sum over pixels.
//  2. The VAE is CDeepEx's, of linear layers, in the place of the convolutional one that Singla et al. took from
//     elsewhere.
//  3. The classifier sees G(z) alone, as in Joshi et al.; `complete` adds what G cannot draw, as CDeepEx does for both.

namespace counterfoil::methods {

struct XgemConfig : LatentSearchConfig {
  XgemConfig() {
    latent.latent = "vae";
    restarts = 1;        // z_0 = E(I)
    fit_iterations = 0;  // the same
    complete = false;    // deviation 3
  }

  std::string form = "cross-entropy";  ///< or equality
  double weight_classifier = 10;       ///< lambda; deviation 1
  BoundaryConfig boundary;             ///< of the form equality

  void declare(nn::Keys& keys);
};

/// Per row [M,1]: ||I - G(z)||^2 - weight log p(y_probe), for drawn = G(z) [M,H,W,C] and its log-probabilities [M,K].
Variable cross_entropy_cost(const Variable& x, const Variable& drawn, const Variable& log_probabilities,
                            const Tensor& targets, double weight);

class Xgem final : public LatentExplainer {
 public:
  Xgem(const XgemConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
       Device& device)
      : LatentExplainer(config, classifier, train, seed, device), config_(config) {}

 protected:
  /// Form cross-entropy: the violation is by how many logits another class is ahead of y_probe.
  Found find(const Search& search) override;

 private:
  XgemConfig config_;
};

}  // namespace counterfoil::methods
