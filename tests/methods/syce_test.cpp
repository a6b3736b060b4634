#include "methods/syce.h"

#include <gtest/gtest.h>

#include "methods/cyce.h"
#include "tests/methods/halves.h"
#include "tests/methods/strokes.h"

// Every term of SyCE's and CyCE's loss, its weight and its gradient, against the equations written out once more.

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kCount = 16;

/// The equations for a batch x of chi_source, on the very networks.
class Equations {
 public:
  Equations(nn::Trainable& trainable, nn::Classifier& classifier, bool batch_statistics) : classifier_(classifier) {
    for (int i = 0; i < 2; ++i) {
      g_[i] = &dynamic_cast<nn::Network&>(module_named(trainable, "g" + std::to_string(i)));
      d_[i] = &dynamic_cast<nn::Network&>(module_named(trainable, "d" + std::to_string(i)));
    }
    pass_.update_statistics = false;
    pass_.batch_statistics = batch_statistics;
  }

  std::map<std::string, Variable> terms(const Tensor& x, int source) {
    const Variable adversarial = apply(g_[source], x);
    const Variable stable = apply(g_[source], adversarial), cycled = apply(g_[1 - source], adversarial);
    return {{"L_d_s", mixed(x, stable)},
            {"L_d_cy", mixed(x, cycled)},
            {"L_f_a", bce(classifier_.logits(adversarial), 1 - source)},
            {"L_f_s", bce(classifier_.logits(stable), source)},
            {"L_f_cy", bce(classifier_.logits(cycled), source)},
            {"L_D_g", bce(apply(d_[1 - source], adversarial), 1)}};
  }

 private:
  Variable apply(nn::Network* network, const Variable& x) { return network->forward(x, pass_); }

  nn::Classifier& classifier_;
  nn::Network *g_[2], *d_[2];
  Random unused_{0, "unused"};
  nn::Pass pass_ = nn::Pass::train(unused_);
};

struct Weighted {
  const char *key, *term;
};

template <typename Method, typename Config>
void expect_terms(const std::vector<Weighted>& all, const std::string& batch_norm) {
  BrighterHalf classifier;
  const data::Dataset images = halves(kCount);
  for (const Weighted& one : all) {
    Config config;
    nn::Keys keys;
    config.declare(keys);
    for (const Weighted& other : all) keys.set(other.key, other.key == one.key ? 2.0 : 0.0);
    config.batch = kCount / 2;
    config.generator_width = config.discriminator_width = 4;
    config.generator_levels = 1;
    config.discriminator_levels = 2;
    config.dropout = 0;
    config.batch_norm = batch_norm;
    config.generator_learning_rate = config.discriminator_learning_rate = 0;
    config.beta1 = 0;
    Method method(config, classifier, images, 5, cpu_device());
    const nn::LossTerms found = method.train_step();
    Equations equations(method, classifier, batch_norm == "batch");
    const Tensor x0 = domain_images(classifier, images, 0), x1 = domain_images(classifier, images, 1);
    const auto on0 = equations.terms(x0, 0), on1 = equations.terms(x1, 1);
    for (const Weighted& any : all) {
      const bool left_out = config.weight_classifier_adversarial == 0 && config.weight_classifier_cycle == 0 &&
                            std::string(any.term).starts_with("L_f") && std::is_same_v<Method, Cyce>;
      if (left_out) continue;
      EXPECT_NEAR(term(found, any.term), on0.at(any.term).item() + on1.at(any.term).item(), 1e-5) << any.term;
    }
    // The last of the generators' updates was for chi_1.
    const double norm = expect_last_gradient(method, "generators", {"g0", "g1"}, 2 * on1.at(one.term));
    EXPECT_GT(norm, 1e-4) << one.key;
  }
}

TEST(Syce, TermsWeightsAndGradients) {
  for (const std::string batch_norm : {"frozen", "batch"}) {
    expect_terms<Syce, SyceConfig>({{"weight_symmetry", "L_d_s"},
                                    {"weight_cycle", "L_d_cy"},
                                    {"weight_classifier_adversarial", "L_f_a"},
                                    {"weight_classifier_symmetry", "L_f_s"},
                                    {"weight_classifier_cycle", "L_f_cy"},
                                    {"weight_generator_gan", "L_D_g"}},
                                   batch_norm);
  }
}

TEST(Cyce, TermsWeightsAndGradients) {
  for (const std::string batch_norm : {"frozen", "batch"}) {
    expect_terms<Cyce, CyceConfig>({{"weight_cycle", "L_d_cy"},
                                    {"weight_classifier_adversarial", "L_f_a"},
                                    {"weight_classifier_cycle", "L_f_cy"},
                                    {"weight_generator_gan", "L_D_g"}},
                                   batch_norm);
  }
}

// The paper's claims on a problem whose answer is known.

TEST(Syce, FindsTheStroke) {
  Strokes strokes;
  Syce syce(quick_adversarial<SyceConfig>(), strokes.classifier(), strokes.train(), 1, cpu_device());
  for (int step = 0; step < 400; ++step) syce.train_step();
  const Explanation explanation = syce.explain(strokes.test_images());
  EXPECT_LE(strokes.agreement(explanation.at("counterfactual")), 0.1);
  EXPECT_GE(strokes.agreement(explanation.at("stable")), 0.95);
  EXPECT_GE(strokes.mass_inside(explanation.at("map")), 2 * strokes.area_inside());
  EXPECT_LE(strokes.change_elsewhere(explanation.at("counterfactual")), 0.04);
  EXPECT_LE(strokes.change_elsewhere(explanation.at("stable")), 0.04);
}

TEST(Cyce, FindsTheStroke) {
  Strokes strokes;
  Cyce cyce(quick_adversarial<CyceConfig>(), strokes.classifier(), strokes.train(), 1, cpu_device());
  for (int step = 0; step < 400; ++step) cyce.train_step();
  const Explanation explanation = cyce.explain(strokes.test_images());
  EXPECT_LE(strokes.agreement(explanation.at("counterfactual")), 0.1);
  EXPECT_GE(strokes.mass_inside(explanation.at("map")), 2 * strokes.area_inside());
  EXPECT_LE(strokes.change_elsewhere(explanation.at("counterfactual")), 0.04);
}

}  // namespace
}  // namespace counterfoil::methods
