#pragma once

#include "methods/generator_pair.h"

// SyCE, the symmetrically conditioned explanation: M. Charachon, P.-H. Cournede, C. Hudelot, R. Ardon, "Leveraging
// conditional generative models in a general explanation framework of classifier decisions", sections 4 and E.1.
//
//   symbol                 here
//   x in chi_i             x, forth.from = i, forth.to = 1 - i
//   g_i(x)                 adversarial: the image on the other side (eq. 5)
//   g_i(g_i(x))            stable: back by the same generator (eq. 4)
//   g_{1-i}(g_i(x))        cycled: back by the other generator
//   c_f(x)                 decisions.same;  1 - c_f(x): decisions.opposite
//   D_{1-i}                judges g_i's images
//   lambda_*               SyceConfig::weight_*
//
// Numbered deviations:
//  1. The paper averages the L1 and L2 distances, its released code adds them: averaged here. L2 is the mean squared
//     difference.
//  2. L_bce is taken on the logits of f (the same number, without overflow).
//  3. The gradient penalty has 1e-12 under its square root.
//  4. The paper's blocks have batch norm and dropout of 0.1 to 0.2. In the released weights the running means are still
//     0: there batch norm ran as a plain affine map and dropout was off. That is the default here (batch_norm = frozen,
//     dropout = 0); batch_norm = batch with dropout = 0.2 is the text's. With batch statistics g_i can tell from its
//     batch which side it is on, and its running averages mix x, g_i(x) and g_{1-i}(x): measured on digits 3/8 after
//     400 steps, acc_s was 0.48 and acc_a 0.51 on single images where the training batches had long crossed; frozen,
//     300 steps give 0.99 and 0.01.
//  5. Images are kept in [0, 1] by `projected_clip` (autograd/pointwise.h), where the released code has a plain clip.
//     Without a slope outside the range digits, black for the most part, pushed generators below 0 in the first steps,
//     where they stayed: at 1e-3 SyCE, at 3e-4 CycSAE drew black for every input. The images are the same.

namespace counterfoil::methods {

struct SyceConfig : GeneratorPairConfig {
  double weight_symmetry = 10.0;               ///< lambda_d^s, supplement table 1b, digits
  double weight_cycle = 2.0;                   ///< lambda_d^cy
  double weight_classifier_adversarial = 0.2;  ///< lambda_f^a
  double weight_classifier_symmetry = 0.01;    ///< lambda_f^s
  double weight_classifier_cycle = 0.005;      ///< lambda_f^cy

  void declare(nn::Keys& keys);
};

class Syce final : public GeneratorPair {
 public:
  Syce(const SyceConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
       Device& device);

  /// "counterfactual": g_i(x); "stable": g_i(g_i(x)); "map": |stable - counterfactual| (eq. 7), the mean over channels.
  Explanation explain_towards(const Tensor& x, const Tensor& targets) override;

 protected:
  GeneratorLoss generator_loss(const Variable& x, const Crossing& forth) override;

 private:
  SyceConfig config_;
};

}  // namespace counterfoil::methods
