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
  expect_finds_the_stroke(syce, strokes, {"counterfactual", "stable"}, 600);
}

TEST(EndToEndCyce, FindsTheStroke) {
  Strokes strokes;
  Cyce cyce(quick_adversarial<CyceConfig>(), strokes.classifier(), strokes.train(), 1, cpu_device());
  expect_finds_the_stroke(cyce, strokes, {"counterfactual"});
}

TEST(EndToEndCyclegan, FindsTheStroke) {
  Strokes strokes;
  Cyce cyclegan(quick_adversarial<CycleganConfig>(), strokes.classifier(), strokes.train(), 1, cpu_device());
  expect_finds_the_stroke(cyclegan, strokes, {"counterfactual"});
}

}  // namespace
}  // namespace counterfoil::methods
