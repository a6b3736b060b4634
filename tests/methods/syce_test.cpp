#include "methods/syce.h"

#include <gtest/gtest.h>

#include "methods/cyce.h"
#include "tests/methods/pair_terms.h"
#include "tests/methods/strokes.h"

namespace counterfoil::methods {
namespace {

std::map<std::string, Variable> syce_equations(PairNetworks& networks, const Tensor& x, int source) {
  const Variable adversarial = networks.g(source, x);
  const Variable stable = networks.g(source, adversarial), cycled = networks.g(1 - source, adversarial);
  return {{"L_d_s", mixed(x, stable)},
          {"L_d_cy", mixed(x, cycled)},
          {"L_f_a", bce(networks.f(adversarial), 1 - source)},
          {"L_f_s", bce(networks.f(stable), source)},
          {"L_f_cy", bce(networks.f(cycled), source)},
          {"L_D_g", bce(networks.d(1 - source, adversarial), 1)}};
}

TEST(Syce, TermsWeightsAndGradients) {
  for (const std::string batch_norm : {"frozen", "batch"}) {
    expect_pair_terms<Syce, SyceConfig>({{"weight_symmetry", "L_d_s"},
                                         {"weight_cycle", "L_d_cy"},
                                         {"weight_classifier_adversarial", "L_f_a"},
                                         {"weight_classifier_symmetry", "L_f_s"},
                                         {"weight_classifier_cycle", "L_f_cy"},
                                         {"weight_generator_gan", "L_D_g"}},
                                        syce_equations, batch_norm);
  }
}

TEST(Cyce, TermsWeightsAndGradients) {
  for (const std::string batch_norm : {"frozen", "batch"}) {
    expect_pair_terms<Cyce, CyceConfig>({{"weight_cycle", "L_d_cy"},
                                         {"weight_classifier_adversarial", "L_f_a"},
                                         {"weight_classifier_cycle", "L_f_cy"},
                                         {"weight_generator_gan", "L_D_g"}},
                                        syce_equations, batch_norm);
  }
}

// The paper's claims on a problem whose answer is known.

TEST(EndToEndSyce, FindsTheStroke) {
  Strokes strokes;
  Syce syce(quick_adversarial<SyceConfig>(), strokes.classifier(), strokes.train(), 1, cpu_device());
  for (int step = 0; step < 400; ++step) syce.train_step();
  const Explanation explanation = syce.explain(strokes.test_images());
  EXPECT_LE(strokes.agreement(explanation.at("counterfactual")), 0.1);
  EXPECT_GE(strokes.agreement(explanation.at("stable")), 0.95);
  EXPECT_GE(strokes.mass_inside(explanation.at("map")), 2 * strokes.area_inside());
  EXPECT_LE(strokes.change_elsewhere(explanation.at("counterfactual")), 0.04);
  EXPECT_LE(strokes.change_elsewhere(explanation.at("stable")), 0.04);
  const Tensor back = syce.explain(explanation.at("counterfactual")).at("counterfactual");
  EXPECT_GE(strokes.agreement(back), 0.9);
  EXPECT_LE(l1(back, strokes.test_images()).item(), 0.05);
}

TEST(EndToEndCyce, FindsTheStroke) {
  Strokes strokes;
  Cyce cyce(quick_adversarial<CyceConfig>(), strokes.classifier(), strokes.train(), 1, cpu_device());
  for (int step = 0; step < 400; ++step) cyce.train_step();
  const Explanation explanation = cyce.explain(strokes.test_images());
  EXPECT_LE(strokes.agreement(explanation.at("counterfactual")), 0.1);
  EXPECT_GE(strokes.mass_inside(explanation.at("map")), 2 * strokes.area_inside());
  EXPECT_LE(strokes.change_elsewhere(explanation.at("counterfactual")), 0.04);
  const Tensor back = cyce.explain(explanation.at("counterfactual")).at("counterfactual");
  EXPECT_GE(strokes.agreement(back), 0.9);
  EXPECT_LE(l1(back, strokes.test_images()).item(), 0.05);
}

TEST(EndToEndCyclegan, FindsTheStroke) {
  Strokes strokes;
  Cyce cyclegan(quick_adversarial<CycleganConfig>(), strokes.classifier(), strokes.train(), 1, cpu_device());
  for (int step = 0; step < 400; ++step) cyclegan.train_step();
  const Explanation explanation = cyclegan.explain(strokes.test_images());
  EXPECT_LE(strokes.agreement(explanation.at("counterfactual")), 0.1);
  EXPECT_GE(strokes.mass_inside(explanation.at("map")), 2 * strokes.area_inside());
  EXPECT_LE(strokes.change_elsewhere(explanation.at("counterfactual")), 0.04);
  const Tensor back = cyclegan.explain(explanation.at("counterfactual")).at("counterfactual");
  EXPECT_GE(strokes.agreement(back), 0.9);
  EXPECT_LE(l1(back, strokes.test_images()).item(), 0.05);
}

}  // namespace
}  // namespace counterfoil::methods
