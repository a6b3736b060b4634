#include "methods/cycsae.h"

#include <gtest/gtest.h>

#include "tests/methods/pair_terms.h"
#include "tests/methods/strokes.h"

namespace counterfoil::methods {
namespace {

double squared_distance_of_heads(nn::UNet& generator) {
  double sum = 0;
  for (const std::string name :
       {"convs.0.weight", "convs.0.bias", "convs.1.weight", "convs.1.bias", "output.weight", "output.bias"}) {
    const std::vector<double> a = generator.state().at("heads.0." + name).to_doubles();
    const std::vector<double> s = generator.state().at("heads.1." + name).to_doubles();
    for (std::size_t i = 0; i < a.size(); ++i) sum += (s[i] - a[i]) * (s[i] - a[i]);
  }
  return sum;
}

TEST(Cycsae, TermsWeightsAndGradients) {
  const auto equations = [](PairNetworks& networks, const Tensor& x, int source) -> std::map<std::string, Variable> {
    const Variables heads = networks.heads(source, x);
    const Variable adversarial = heads[0], stable = heads[1], cycled = networks.heads(1 - source, adversarial)[0];
    Variable proximity = Tensor::zeros(Shape{1}, DType::f32, cpu_device());
    for (int i = 0; i < 2; ++i) {
      const auto parameters = networks.generator(i).named_parameters();
      for (const auto& [name, w_a] : parameters) {
        for (const auto& [other, w_s] : parameters) {
          if (name.starts_with("heads.0.") && other == "heads.1." + name.substr(8))
            proximity = proximity + reshape(sum(square(w_s - w_a)), {1});
        }
      }
    }
    return {{"L_d_s", mixed(x, stable)},
            {"L_d_cy", mixed(x, cycled)},
            {"L_f_a", bce(networks.f(adversarial), 1 - source)},
            {"L_f_s", bce(networks.f(stable), source)},
            {"L_f_cy", bce(networks.f(cycled), source)},
            {"L_D_g", bce(networks.d(1 - source, adversarial), 1)},
            {"d_w", proximity}};
  };
  expect_pair_terms<Cycsae, CycsaeConfig>({{"weight_stable", "L_d_s"},
                                           {"weight_cycle", "L_d_cy"},
                                           {"weight_classifier_adversarial", "L_f_a"},
                                           {"weight_classifier_stable", "L_f_s"},
                                           {"weight_classifier_cycle", "L_f_cy"},
                                           {"weight_generator_gan", "L_D_g"},
                                           {"weight_proximity", "d_w"}},
                                          equations, "frozen");
}

TEST(Cycsae, HeadDistanceIsThatOfTheHeadsAlone) {
  BrighterHalf classifier;
  CycsaeConfig config;
  Cycsae cycsae(config, classifier, halves(16), 1, cpu_device());
  auto& generator = dynamic_cast<nn::UNet&>(module_named(cycsae, "g0"));
  const double before = squared_distance_of_heads(generator);
  EXPECT_NEAR(head_distance(generator).item(), before, 1e-4 * before);
  for (auto& [name, parameter] : generator.named_parameters()) {
    if (name == "heads.1.output.bias") parameter.set_value(Tensor::full(Shape{1}, 3, DType::f32, cpu_device()));
    if (name == "entry.0.conv.bias") parameter.set_value(Tensor::full(parameter.shape(), 3, DType::f32, cpu_device()));
  }
  EXPECT_NEAR(head_distance(generator).item(), before + 9, 1e-4 * before);
}

TEST(Cycsae, SameBitsHoweverTrained) {
  BrighterHalf classifier;
  CycsaeConfig config;
  config.batch = 4;
  config.generator_width = config.discriminator_width = 3;
  config.generator_levels = config.discriminator_levels = 1;
  const data::Dataset images = halves(32);
  expect_same_bits_however_trained(
      [&] { return std::make_unique<Cycsae>(config, classifier, images, 3, cpu_device()); });
}

TEST(EndToEndCycsae, FindsTheStroke) {
  Strokes strokes;
  CycsaeConfig config = quick_adversarial<CycsaeConfig>();
  config.weight_generator_gan = 0.075;  // the change is nearer to the stroke than with a stronger critic
  Cycsae cycsae(config, strokes.classifier(), strokes.train(), 1, cpu_device());
  expect_finds_the_stroke(cycsae, strokes, {"stable"});
}

}  // namespace
}  // namespace counterfoil::methods
