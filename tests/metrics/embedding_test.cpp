#include "metrics/embedding.h"

#include <vector>

#include <gtest/gtest.h>

#include "autograd/ops.h"

namespace counterfoil::metrics {
namespace {

EmbeddingConfig small(std::int64_t logits) {
  EmbeddingConfig config;
  config.network = {.image = {7, 6, 1}, .widths = {2, 3}, .code = 4, .hidden = 3, .decisions = logits};
  config.batch = 5;
  config.learning_rate = 0;  // nothing moves, and the optimiser's first moments are a tenth of the gradients
  return config;
}

struct Problem {
  Tensor images, decisions;
};

Problem problem(std::int32_t classes) {
  Random random(3, "images");
  std::vector<std::int32_t> decisions;
  for (std::int32_t i = 0; i < 9; ++i) decisions.push_back(i % classes);
  return {random.uniform({9, 7, 6, 1}, 0, 1, cpu_device()), Tensor::from(decisions, {9}, cpu_device())};
}

double sum_of_squares(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

// MSE over pixels, KL summed over the code's dimensions, cross entropy of the classifier's decisions at the mean code;
// weights 1, 5 and 0.1.
TEST(Embedding, TermsWeightsAndGradient) {
  for (const std::int32_t classes : {2, 3}) {
    const auto [images, decisions] = problem(classes);
    EmbeddingTraining training(small(classes == 2 ? 1 : classes), images, decisions, 5);
    const std::vector<Tensor> batch = training.draw();
    const nn::DeviceTerms found = training.compute(batch);

    nn::VaeEmbedding& network = training.network();
    const nn::Pass pass = nn::Pass::eval();
    Random noise(5, "noise");
    const Variable x(gather_rows(images, batch.front()));  // [5,7,6,1]
    const nn::GaussianCode code = network.encode(x, pass);
    const Variable variance = exp(code.log_variance);
    const Variable z = code.mean + sqrt(variance) * Variable(noise.normal({5, 4}, 0, 1, cpu_device()));
    const Variable error = reshape(mean(square(network.decode(z, pass) - x)), {1});
    const Variable kl = reshape(sum(variance + square(code.mean) - 1 - log(variance)) / (2.0 * 5), {1});
    const Variable logits = network.decision_logits(code.mean, pass);
    const Variable scores = classes == 2 ? concat({logits * 0, logits}, 1) : logits;
    const std::vector<std::int32_t> positions = batch.front().to_vector<std::int32_t>();
    std::vector<std::int32_t> decided;
    for (const std::int32_t position : positions) decided.push_back(position % classes);
    const Variable wanted(one_hot(Tensor::from(decided, {5}, cpu_device()), classes));
    const Variable decision = reshape(-sum(log(softmax(scores)) * wanted) / 5, {1});
    ASSERT_EQ(found.size(), 3U);
    EXPECT_NEAR(found[0].second.item(), error.item(), 1e-6);
    EXPECT_NEAR(found[1].second.item(), kl.item(), 1e-5);
    EXPECT_NEAR(found[2].second.item(), decision.item(), 1e-5);

    const auto moments = training.training_state().optimisers.front().second->state("");
    Variables parameters;
    std::vector<std::string> names;
    for (const auto& [name, parameter] : network.named_parameters()) {
      names.push_back(name);
      parameters.push_back(parameter);
    }
    const Variables slopes = grad({(error + kl * 5 + decision * 0.1) * 0.1}, parameters);
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::vector<double> expected = slopes[i].value().to_doubles();
      difference += sum_of_squares(expected, moments.at(names[i] + ".exp_avg").to_doubles());
      norm += sum_of_squares(expected, std::vector<double>(expected.size(), 0));
    }
    EXPECT_GT(norm, 1e-8);
    EXPECT_LE(difference, 1e-6 * norm);
  }
}

TEST(Embedding, CodesAreTheMeansAPartAtATime) {
  const auto [images, decisions] = problem(2);
  EmbeddingTraining training(small(1), images, decisions, 5);
  Tensor many = images;  // more than a part
  while (many.shape()[0] < 300) many = concat(std::vector<Tensor>{many, many}, 0);
  const Tensor codes = embed(training.network(), many);
  ASSERT_EQ(codes.shape(), (Shape{many.shape()[0], 4}));
  const Tensor first = training.network().encode(images, nn::Pass::eval()).mean.value();
  for (std::int64_t begin = 0; begin < many.shape()[0]; begin += 9)
    EXPECT_LT(sum_of_squares(slice(codes, 0, begin, begin + 9).to_doubles(), first.to_doubles()), 1e-10) << begin;
}

TEST(Embedding, RefusesWhatDoesNotFit) {
  const auto [images, decisions] = problem(2);
  EXPECT_THROW(EmbeddingTraining(small(1), images, slice(decisions, 0, 0, 3), 5), Error);
  EmbeddingTraining training(small(1), images, decisions, 5);
  EXPECT_THROW(embed(training.network(), slice(images, 0, 0, 0)), Error);
}

}  // namespace
}  // namespace counterfoil::metrics
