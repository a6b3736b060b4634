#include "nn/classifier.h"

#include <cmath>

#include "autograd/reduction.h"
#include "nn/models/lenet.h"
#include "tests/nn/finite_differences.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

/// Logits that are the input itself: x [N,K] or [N,1].
class Given : public Classifier {
 public:
  explicit Given(int outputs) : outputs_(outputs) {}
  Variable logits(const Variable& x) override { return x; }
  int class_count() const override { return outputs_ == 1 ? 2 : outputs_; }
  bool single_logit() const override { return outputs_ == 1; }

 private:
  int outputs_;
};

TEST(Classifier, OneLogitFormsHaveTwoClasses) {
  Given f(1);
  const Variable x = Variable::leaf(f64({std::log(3.0), -1000, 1000, 0}, {4, 1}));
  expect_close(f.probabilities(x).value(), f64({0.25, 0.75, 1, 0, 0, 1, 0.5, 0.5}, {4, 2}), "p", 1e-14);
  expect_close(f.log_probabilities(x).value(),
               f64({std::log(0.25), std::log(0.75), 0, -1000, -1000, 0, std::log(0.5), std::log(0.5)}, {4, 2}), "log p",
               1e-14);
  const Tensor decisions = f.decisions(x.value());
  EXPECT_EQ(decisions.to_vector<std::int32_t>(), (std::vector<std::int32_t>{1, 0, 1, 0}));
  // -log .75, 0, 0, log 2.
  EXPECT_NEAR(f.loss(x, labels_of({1, 0, 1, 0})).item(), (std::log(4.0 / 3) + std::log(2.0)) / 4, 1e-14);
}

TEST(Classifier, SeveralLogitsAreASoftmax) {
  Given f(3);
  const Variable x(f64({0, std::log(2.0), 0, 5, 5, -1000}, {2, 3}));
  expect_close(f.probabilities(x).value(), f64({0.25, 0.5, 0.25, 0.5, 0.5, 0}, {2, 3}), "p", 1e-14);
  expect_close(
      f.log_probabilities(x).value(),
      f64({std::log(0.25), std::log(0.5), std::log(0.25), -std::log(2.0), -std::log(2.0), -1005 - std::log(2.0)},
          {2, 3}),
      "log p", 1e-14);
  EXPECT_EQ(f.decisions(x.value()).to_vector<std::int32_t>(), (std::vector<std::int32_t>{1, 0}));
  EXPECT_NEAR(f.loss(x, labels_of({2, 1})).item(), (std::log(4.0) + std::log(2.0)) / 2, 1e-14);
}

TEST(Classifier, DecidesBatchesLargerThanAPart) {
  Given f(1);
  std::vector<double> logits(600);
  std::vector<std::int32_t> expected(600);
  for (std::size_t i = 0; i < 600; ++i) {
    expected[i] = i % 7 == 0 ? 1 : 0;
    logits[i] = expected[i] == 1 ? 0.1 : -0.1;
  }
  EXPECT_EQ(f.decisions(f64(logits, {600, 1})).to_vector<std::int32_t>(), expected);
  EXPECT_EQ(f.decisions(Tensor::zeros({0, 1}, DType::f64, reference_device())).size(), 0);
}

LeNetOptions small_lenet(int outputs) {
  return {.image = {8, 7, 1}, .outputs = outputs, .width1 = 2, .width2 = 3, .hidden = 4};
}

TEST(Classifier, NetworkRunsInEvalModeAndGivesAGradientToItsInput) {
  for (const int outputs : {1, 3}) {
    TestInit init;
    auto network = std::make_shared<LeNet>(init, small_lenet(outputs));
    jitter(*network, init.random);
    NetworkClassifier f(network, outputs);
    EXPECT_EQ(f.class_count(), outputs == 1 ? 2 : 3);
    const Variable x = Variable::leaf(init.random.uniform({3, 8, 7, 1}, 0, 1, reference_device(), DType::f64));
    // Dropout would need random numbers, and would give another value each time.
    EXPECT_EQ(f.logits(x).value().to_doubles(), network->forward(x, Pass::eval()).value().to_doubles());
    expect_gradient([&] { return f.loss(x, labels_of({1, 0, 1})); }, {x}, 1e-6, 40);
  }
}

TEST(Classifier, AnExplainersGradientAsksForNoneOfItsWeights) {
  TestInit init;
  NetworkClassifier f(std::make_shared<LeNet>(init, small_lenet(1)), 1);
  const Variable x = Variable::leaf(init.random.uniform({2, 8, 7, 1}, 0, 1, reference_device(), DType::f64));
  int calls = 0, weights = 0;
  const BackwardRules rules = {{"conv2d", [&](const Node&, const Variable&, const Needs& needs) {
                                  ++calls;
                                  for (std::size_t i = 1; i < needs.size(); ++i) weights += needs[i] ? 1 : 0;
                                  return Variables(needs.size());
                                }}};
  grad({f.loss(x, labels_of({1, 1}))}, {x}, {.rules = &rules});
  EXPECT_GT(calls, 0);
  EXPECT_EQ(weights, 0);
}

TEST(Classifier, NamesImagesOfTheWrongShape) {
  TestInit init;
  NetworkClassifier f(std::make_shared<LeNet>(init, small_lenet(1)), 1);
  try {
    f.decisions(Tensor::zeros({2, 8, 8, 1}, DType::f64, reference_device()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "LeNet: expected images [N, 8, 7, 1], found [2, 8, 8, 1]");
  }
}

}  // namespace
}  // namespace counterfoil::nn
