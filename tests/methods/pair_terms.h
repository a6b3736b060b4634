#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "nn/models/unet.h"
#include "tests/methods/halves.h"

// Checks a generator pair's loss: every term, its weight and its gradient, against the equations written out once more.

namespace counterfoil::methods {

/// The very networks of a training, run as its steps run them.
class PairNetworks {
 public:
  PairNetworks(nn::Trainable& trainable, nn::Classifier& f, bool batch_statistics) : classifier(f) {
    for (int i = 0; i < 2; ++i) {
      d_[i] = &dynamic_cast<nn::Network&>(module_named(trainable, "d" + std::to_string(i)));
    }
    for (const auto& [name, module] : trainable.training_state().modules) {
      if (name.front() == 'g') generators.push_back(name);
    }
    for (std::size_t i = 0; i < 2; ++i) {
      g_[i] = &dynamic_cast<nn::UNet&>(module_named(trainable, generators[i % generators.size()]));
    }
    pass_.update_statistics = false;
    pass_.batch_statistics = batch_statistics;
  }

  Variable g(int i, const Variable& x) { return g_[i]->forward(x, pass_); }
  Variables heads(int i, const Variable& x) { return g_[i]->forward_heads(x, pass_); }
  Variable d(int i, const Variable& x) { return d_[i]->forward(x, pass_); }
  Variable f(const Variable& x) { return classifier.logits(x); }
  nn::UNet& generator(int i) { return *g_[i]; }

  nn::Classifier& classifier;
  std::vector<std::string> generators;  ///< names of their modules

 private:
  nn::UNet* g_[2];
  nn::Network* d_[2];
  Random unused_{0, "unused"};
  nn::Pass pass_ = nn::Pass::train(unused_);
};

struct WeightedBy {
  const char *key, *term;
};

/// The terms for a batch x of chi_source.
using PairEquations =
    std::function<std::map<std::string, Variable>(PairNetworks& networks, const Tensor& x, int source)>;

template <typename Method, typename Config>
void expect_pair_terms(const std::vector<WeightedBy>& all, const PairEquations& equations,
                       const std::string& batch_norm) {
  constexpr std::int64_t kCount = 16;  // a batch per domain is the whole domain
  BrighterHalf classifier;
  const data::Dataset images = halves(kCount);
  for (const WeightedBy& one : all) {
    SCOPED_TRACE(one.key);
    Config config;
    nn::Keys keys;
    config.declare(keys);
    for (const WeightedBy& other : all) keys.set(other.key, other.key == one.key ? 2.0 : 0.0);
    config.batch = kCount / 2;
    config.generator_width = config.discriminator_width = 4;
    config.generator_levels = 1;
    config.discriminator_levels = 2;
    config.dropout = 0;
    config.batch_norm = batch_norm;
    config.generator_learning_rate = config.discriminator_learning_rate = 0;  // nothing moves between the updates
    config.beta1 = 0;
    Method method(config, classifier, images, 5, cpu_device());
    const nn::LossTerms found = method.train_step();
    PairNetworks networks(method, classifier, batch_norm == "batch");
    const auto on0 = equations(networks, domain_images(classifier, images, 0), 0);
    const auto on1 = equations(networks, domain_images(classifier, images, 1), 1);
    for (const auto& [name, value] : found) {
      if (!on0.contains(name)) continue;  // the discriminators'
      const double expected = on0.at(name).item() + on1.at(name).item();
      EXPECT_NEAR(value, expected, 1e-5 * (1 + std::abs(expected))) << name;
    }
    EXPECT_NO_THROW(term(found, one.term));
    // The last of the generators' updates was for chi_1.
    EXPECT_GT(expect_last_gradient(method, "generators", networks.generators, 2 * on1.at(one.term)), 1e-4);
  }
}

}  // namespace counterfoil::methods
