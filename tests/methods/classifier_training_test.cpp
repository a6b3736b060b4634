#include "methods/classifier_training.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/methods/halves.h"

namespace counterfoil::methods {
namespace {

data::Splits splits_of(const data::Dataset& train, const data::Dataset& validation) {
  return {train, validation, validation};
}

/// Three classes of noise: the third is as bright everywhere.
data::Dataset three_kinds(std::int64_t count) {
  data::Dataset dataset = halves(count);
  dataset.class_names = {"left", "right", "both"};
  for (std::size_t i = 0; i < dataset.labels.size(); i += 3) dataset.labels[i] = 2;
  return dataset;
}

ClassifierConfig still() {
  ClassifierConfig config;
  config.batch = 12;
  config.dropout_features = config.dropout_hidden = 0;
  config.augmentation = {};
  config.learning_rate = 0;
  return config;
}

// One sigmoid or a logit per class: -log p of the LABEL, and how often the decision is the label.
TEST(ClassifierTraining, LossAccuracyAndGradient) {
  for (const data::Dataset& images : {halves(12), three_kinds(12)}) {
    const std::size_t classes = images.class_names.size();
    ClassifierTraining training(still(), splits_of(images, images), 5, cpu_device());
    const nn::LossTerms found = training.train_step();

    auto& network = dynamic_cast<nn::Network&>(module_named(training, "classifier"));
    const Variable z = network.forward(images.all_images(cpu_device()), nn::Pass::eval());
    ASSERT_EQ(z.shape()[1], classes == 2 ? 1 : 3);
    const Variable scores = classes == 2 ? concat({z * 0, z}, 1) : z;  // [12,K], any shift gives the same p
    const Tensor labels = Tensor::from(images.labels, {12}, cpu_device());
    const Variable p = exp(scores) / sum(exp(scores), {1});
    const Variable loss =
        reshape(-sum(log(p) * Variable(one_hot(labels, static_cast<std::int64_t>(classes)))) / 12, {1});
    const std::vector<double> values = scores.value().to_doubles();
    double hits = 0;
    for (std::size_t i = 0; i < 12; ++i) {
      const auto row = values.begin() + static_cast<std::ptrdiff_t>(i * classes);
      const auto best = std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row;
      hits += best == images.labels[i] ? 1 : 0;
    }
    EXPECT_NEAR(term(found, "loss"), loss.item(), 1e-5);
    EXPECT_NEAR(term(found, "accuracy"), hits / 12, 1e-6);
    EXPECT_NEAR(accuracy(training.classifier(), images, cpu_device()), hits / 12, 1e-6);
    EXPECT_NEAR(training.validation_loss(), loss.item(), 1e-5);
    // The first moment of Adam is a tenth of the only gradient yet.
    EXPECT_GT(expect_last_gradient(training, "classifier", {"classifier"}, loss * 0.1), 1e-4);
  }
}

// Supplement D.3: a third of the rate where the validation loss, which stands still here, has not fallen.
TEST(ClassifierTraining, APlateauOfTheValidationLossLowersTheRate) {
  ClassifierConfig config = still();
  config.learning_rate = 1e-12;
  config.plateau_patience = 1;
  ClassifierTraining training(config, splits_of(halves(24), halves(6, 4)), 5, cpu_device());
  std::vector<double> rates;
  for (int epoch = 0; epoch < 5; ++epoch) {
    for (int step = 0; step < 2; ++step) training.train_step();
    rates.push_back(optimiser_named(training, "classifier").learning_rate() / 1e-12);
  }
  // Best; borne; too long; borne; too long
  const std::vector<double> expected = {1, 1, 1.0 / 3, 1.0 / 3, 1.0 / 9};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(rates[i], expected[i], 1e-9) << i;
}

TEST(ClassifierTraining, ImagesAreAugmentedAndLabelsAreNot) {
  ClassifierConfig config = still();
  ClassifierTraining plain(config, splits_of(halves(12), halves(6)), 5, cpu_device());
  config.augmentation = {0.1, 0.1, 10, false, false};
  ClassifierTraining augmented(config, splits_of(halves(12), halves(6)), 5, cpu_device());
  const std::vector<Tensor> before = plain.draw(), after = augmented.draw();
  EXPECT_NE(before[0].to_doubles(), after[0].to_doubles());
  EXPECT_EQ(before[1].to_doubles(), after[1].to_doubles());
}

// The papers' small experiments: CDeepEx's network, GANMEX's and SyCE's LeNet, with a head for two classes and for
// more.
TEST(ClassifierTraining, EveryNetworkHasEitherHead) {
  for (const std::string network : {"lenet", "cdeepex", "ganmex"}) {
    for (const std::int64_t classes : {2, 10}) {
      data::Dataset images{28, 28, 1, std::vector<std::uint8_t>(28 * 28 * 2, 90), {0, 1}, {}};
      for (std::int64_t k = 0; k < classes; ++k) images.class_names.push_back(std::to_string(k));
      ClassifierConfig config;
      config.network = network;
      config.batch = 2;
      ClassifierTraining training(config, splits_of(images, images), 5, cpu_device());
      training.train_step();
      const Tensor x = images.all_images(cpu_device());
      EXPECT_EQ(training.classifier().logits(x).shape(), (Shape{2, classes == 2 ? 1 : classes})) << network;
      EXPECT_EQ(training.classifier().class_count(), classes) << network;
    }
  }
  const data::Dataset coloured{28, 28, 3, std::vector<std::uint8_t>(28 * 28 * 3, 90), {0}, {"a", "b"}};
  ClassifierConfig config;
  config.network = "cdeepex";
  EXPECT_THROW(ClassifierTraining(config, splits_of(coloured, coloured), 5, cpu_device()), Error);
}

TEST(ClassifierTraining, SameBitsHoweverTrained) {
  ClassifierConfig config;
  config.batch = 7;
  config.learning_rate = 1e-3;
  expect_same_bits_however_trained([&] {
    return std::make_unique<ClassifierTraining>(config, splits_of(halves(20), halves(6, 4)), 3, cpu_device());
  });
}

}  // namespace
}  // namespace counterfoil::methods
