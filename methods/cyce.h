#pragma once

#include "methods/generator_pair.h"

// CyCE, the cyclic conditioned explanation (Charachon et al., section 5), and CycleGAN as its peer: CyCE without the
// classifier's terms, on the same networks (the paper's "CyCE w/o L_f^{a,cy}", after Zhu et al. 2017).
//
//   symbol                 here
//   x in chi_i             x, forth.from = i, forth.to = 1 - i
//   g_i(x)                 adversarial;  the stable image is x itself (supplement eq. 8)
//   g_{1-i}(g_i(x))        cycled
//
// Deviations 1 to 5 of methods/syce.h hold here too.

namespace counterfoil::methods {

struct CyceConfig : GeneratorPairConfig {
  double weight_cycle = 10.0;                  ///< lambda_d^cy, supplement table 1a, digits
  double weight_classifier_adversarial = 0.2;  ///< lambda_f^a; 0 for CycleGAN
  double weight_classifier_cycle = 0.005;      ///< lambda_f^cy; 0 for CycleGAN

  void declare(nn::Keys& keys);
};

/// CycleGAN: no term of the classifier.
struct CycleganConfig : CyceConfig {
  CycleganConfig() { weight_classifier_adversarial = weight_classifier_cycle = 0; }
};

class Cyce final : public GeneratorPair {
 public:
  Cyce(const CyceConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
       Device& device);

  /// "counterfactual": g_i(x); "map": |x - g_i(x)| (section 5), the mean over channels. No stable image: it is x.
  Explanation explain_towards(const Tensor& x, const Tensor& targets) override;

 protected:
  GeneratorLoss generator_loss(const Variable& x, const Crossing& forth) override;

 private:
  CyceConfig config_;
};

}  // namespace counterfoil::methods
