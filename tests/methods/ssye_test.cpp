#include "methods/ssye.h"

#include <gtest/gtest.h>

#include "tests/methods/pair_terms.h"
#include "tests/methods/strokes.h"

namespace counterfoil::methods {
namespace {

TEST(Ssye, TermsWeightsAndGradients) {
  const auto equations = [](PairNetworks& networks, const Tensor& x, int source) -> std::map<std::string, Variable> {
    const Variable adversarial = networks.g(0, x), stable = networks.g(0, adversarial);
    return {{"L_d_s", mixed(x, stable)},
            {"L_f_a", bce(networks.f(adversarial), 1 - source)},
            {"L_f_s", bce(networks.f(stable), source)},
            {"L_D_g", bce(networks.d(1 - source, adversarial), 1)}};
  };
  for (const std::string batch_norm : {"frozen", "batch"}) {
    expect_pair_terms<Ssye, SsyeConfig>({{"weight_symmetry", "L_d_s"},
                                         {"weight_classifier_adversarial", "L_f_a"},
                                         {"weight_classifier_symmetry", "L_f_s"},
                                         {"weight_generator_gan", "L_D_g"}},
                                        equations, batch_norm);
  }
}

TEST(Ssye, HasOneGeneratorWithExtraBlocks) {
  BrighterHalf classifier;
  SsyeConfig config;
  Ssye ssye(config, classifier, halves(16), 1, cpu_device());
  // SyCE's U-Net has 204,499; a block on its 32 last channels has two norm parameters each and a 3x3 convolution.
  EXPECT_EQ(module_named(ssye, "g").parameter_count(), 204499 + 2 * (2 * 32 + 32 * 32 * 9 + 32));
}

TEST(Ssye, SameBitsHoweverTrained) {
  BrighterHalf classifier;
  SsyeConfig config;
  config.batch = 4;
  config.generator_width = config.discriminator_width = 3;
  config.generator_levels = config.discriminator_levels = 1;
  const data::Dataset images = halves(32);
  expect_same_bits_however_trained([&] { return std::make_unique<Ssye>(config, classifier, images, 3, cpu_device()); });
}

TEST(EndToEndSsye, FindsTheStroke) {
  Strokes strokes;
  Ssye ssye(quick_adversarial<SsyeConfig>(), strokes.classifier(), strokes.train(), 1, cpu_device());
  for (int step = 0; step < 400; ++step) ssye.train_step();
  const Explanation explanation = ssye.explain(strokes.test_images());
  EXPECT_LE(strokes.agreement(explanation.at("counterfactual")), 0.1);
  EXPECT_GE(strokes.agreement(explanation.at("stable")), 0.95);
  EXPECT_GE(strokes.mass_inside(explanation.at("map")), 2 * strokes.area_inside());
  EXPECT_LE(strokes.change_elsewhere(explanation.at("counterfactual")), 0.04);
  const Tensor back = ssye.explain(explanation.at("counterfactual")).at("counterfactual");
  EXPECT_GE(strokes.agreement(back), 0.9);
  EXPECT_LE(l1(back, strokes.test_images()).item(), 0.05);
}

}  // namespace
}  // namespace counterfoil::methods
