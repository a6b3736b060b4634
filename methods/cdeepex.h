#pragma once

#include "methods/boundary_search.h"

// CDeepEx: "Contrastive Deep Explanations" (anonymous submission to ICLR 2019), sections 3 and 4, appendix 6. Why did
// the classifier say y_true and not y_probe? The nearest point in the space of codes for which y_probe is as likely as
// y_true, and no third class is likelier, shows what is missing.
//
//   symbol                         here
//   D                              classifier
//   G                              latent (methods/latent_model.h)
//   I                              x
//   z_0, Delta z_0 = G(z_0) - I    Search::start, Search::residual (eq. 1, procedure 2)
//   z_e                            the end of the path (eq. 2, methods/boundary_search.h)
//   G(z_0) - G(z_e)                -"difference": the paper's figures show what to add, so does the sign here
//
// Numbered deviations:
//  1. Eq. 2 prints llh(D(G(z)) + Delta z_0, y) and inequalities that would make every third class likelier. Meant, and
//     here: D sees the completed image G(z) - Delta z_0, which is I itself at z_0, clipped to [0,1]; and llh(i) -
//     llh(y_true) <= epsilon, llh(i) - llh(y_probe) <= epsilon.
//  2. Both searches are by Adam; the paper names its steps nowhere. Restarts and queries are searched at once; the
//     rows do not touch each other, and each query has the same starts, so that an explanation depends on the image and
//     the seed alone.
//  3. The loss of procedure 2 is a sum over pixels; it stops after a number of steps, not at a distance.
//  4. The paper shows several restarts. Here all are kept, and one is chosen (LatentExplainer::explain).

namespace counterfoil::methods {

struct CdeepexConfig : LatentSearchConfig {
  BoundaryConfig boundary;

  void declare(nn::Keys& keys) {
    LatentSearchConfig::declare(keys);
    boundary.declare(keys);
    keys.add("epsilon", boundary.epsilon, -1e3, 1e3, "logits by which a third class may be ahead of either");
  }
};

class Cdeepex final : public LatentExplainer {
 public:
  Cdeepex(const CdeepexConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
          Device& device)
      : LatentExplainer(config, classifier, train, seed, device), config_(config) {}

 protected:
  Found find(const Search& search) override {
    return find_boundary(config_, config_.boundary, true, classifier(), search,
                         [&](const Variable& z) { return shown(search, z); });
  }

 private:
  CdeepexConfig config_;
};

}  // namespace counterfoil::methods
