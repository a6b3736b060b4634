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
  expect_finds_the_stroke(ssye, strokes, {"counterfactual", "stable"}, 600);
}

}  // namespace
}  // namespace counterfoil::methods
