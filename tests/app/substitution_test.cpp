#include "app/substitution.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "tensor/ops.h"
#include "tests/app/program_fixture.h"

namespace counterfoil::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

data::Dataset pixels(const std::vector<std::uint8_t>& values, const std::vector<std::int32_t>& labels) {
  return {.height = 1, .width = 1, .channels = 1, .pixels = values, .labels = labels, .class_names = {"cat", "dog"}};
}

TEST(Substitution, WhatWasLedToAClassTakesThePlaceOfItsRealImages) {
  const data::Dataset real = pixels({1, 2, 3, 4, 5}, {0, 1, 0, 1, 1});
  const data::Dataset crossed = pixels({11, 12, 13, 14, 15}, {1, 0, 1, 0, 0});  // each led to the other class
  const data::Dataset first = substitute(real, crossed, {0});
  EXPECT_THAT(first.pixels, ElementsAre(2, 4, 5, 12, 14, 15));
  EXPECT_THAT(first.labels, ElementsAre(1, 1, 1, 0, 0, 0));
  const data::Dataset second = substitute(real, crossed, {1});
  EXPECT_THAT(second.pixels, ElementsAre(1, 3, 11, 13));
  EXPECT_THAT(second.labels, ElementsAre(0, 0, 1, 1));
  const data::Dataset both = substitute(real, crossed, {0, 1});
  EXPECT_THAT(both.pixels, ElementsAre(11, 12, 13, 14, 15));
  EXPECT_THAT(both.labels, ElementsAre(1, 0, 1, 0, 0));
  EXPECT_EQ(both.class_names, real.class_names);
}

TEST(Substitution, NothingLedToAClassIsSaid) {
  const data::Dataset real = pixels({1, 2}, {0, 1});
  try {
    substitute(real, pixels({11, 12}, {1, 1}), {0});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "no training image is led to 'cat': nothing can take its images' place");
  }
}

/// Decides 1 where an image of one pixel is above a half.
class Brightness final : public nn::Classifier {
 public:
  Variable logits(const Variable& x) override { return reshape(x, {x.shape()[0], 1}) - 0.5; }
  int class_count() const override { return 2; }
  bool single_logit() const override { return true; }
};

/// Inverts images, and says that it put a quarter's grey into them.
class Inverter final : public methods::Explainer {
 public:
  methods::Explanation explain(const Tensor& x) override {
    return {{"counterfactual", unary(UnaryOp::affine, x, -1, 1)}, {"transformed", unary(UnaryOp::affine, x, 0, 0.25)}};
  }
  std::vector<Tensor> draw() override { return {}; }
  nn::DeviceTerms compute(const std::vector<Tensor>&) override { return {}; }
  std::int64_t images_per_step() const override { return 1; }
};

TEST(Substitution, CrossedImagesBearTheClassTheyWereLedTo) {
  Brightness classifier;
  Inverter inverter;
  ExplainerRun explained{{}, inverter, classifier};
  explained.run.settings = std::make_unique<Settings>(kind_named("explaingan"));
  explained.run.device = &reference_device();
  std::vector<std::uint8_t> values(70, 10);  // more than a part
  values[1] = 200;
  values[69] = 255;
  std::vector<std::int32_t> labels(70, 1);  // wrong, and not asked for: the decision is crossed
  std::vector<std::int64_t> done;
  const CrossedImages crossed = cross(explained, pixels(values, labels), {"counterfactual", "composite", "transformed"},
                                      [&](std::int64_t images) { done.push_back(images); });
  EXPECT_THAT(done, ElementsAre(64, 70));
  const data::Dataset& images = crossed.at("counterfactual");
  ASSERT_EQ(images.size(), 70);
  EXPECT_EQ(crossed.at("composite").pixels, images.pixels);
  for (std::size_t i = 0; i < 70; ++i) {
    EXPECT_EQ(images.pixels[i], 255 - values[i]) << i;
    EXPECT_EQ(images.labels[i], values[i] > 127 ? 0 : 1) << i;
    EXPECT_EQ(crossed.at("transformed").pixels[i], 64) << i;  // 63.75, rounded
  }
  EXPECT_EQ(crossed.at("transformed").labels, images.labels);
}

class Substitutability : public ProgramTest {
 protected:
  void require(const Arguments& arguments) const {
    const Outcome outcome = go(arguments);
    ASSERT_EQ(outcome.status, 0) << outcome.errors;
  }
  nlohmann::json figures(const std::string& name) const { return nlohmann::json::parse(bytes_of(path(name))); }
};

// The number that ends the first line of a text with `begin` in it.
double number_after(const std::string& text, const std::string& begin) {
  const std::size_t at = text.find(begin);
  return at == std::string::npos ? -1 : std::stod(text.substr(at + begin.size()));
}

TEST_F(Substitutability, TheCeilingIsWhatTheClassifierHasAndTheSameBitsComeTwice) {
  require(training("classifier", {"--learning-rate", "0.002"}));
  require({"train", "sagen", "--data", "idx:" + path("data"), "--classifier", path("classifier"), "--out",
           path("sagen"), "--steps", "10", "--batch", "8", "--generator-width", "4", "--generator-learning-rate",
           "0.01"});
  const Arguments measure = {"substitutability", "--run", path("sagen"), "--json"};
  const auto measured = [&](const std::string& name, const Arguments& more) {
    Arguments arguments = measure;
    arguments.push_back(path(name));
    arguments.insert(arguments.end(), more.begin(), more.end());
    return go(arguments);
  };
  const Outcome outcome = measured("one.json", {});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_THAT(outcome.errors, HasSubstr("explaining 54 training images"));
  EXPECT_THAT(outcome.errors, HasSubstr("retraining on counterfactual images for those of 0, 1: 54 images, 40 steps"));
  EXPECT_THAT(outcome.output, HasSubstr("% of the ceiling"));
  const nlohmann::json one = figures("one.json");
  EXPECT_EQ(one["run"], path("sagen"));
  EXPECT_EQ(one["method"], "sagen");
  EXPECT_EQ(one["classifier"], path("classifier"));
  EXPECT_EQ(one["steps"], 40);  // as the classifier
  EXPECT_EQ(one["train_images"], 54);
  EXPECT_EQ(one["test_images"], 60);
  const double trained = number_after(bytes_of(path("classifier/log.txt")), "accuracy on the 60 test images: ");
  EXPECT_NEAR(one["ceiling"].get<double>(), trained, 5e-5);  // four digits are logged
  ASSERT_EQ(one["substitutions"].size(), 3U);
  EXPECT_EQ(one["substitutions"][0]["replaced"], nlohmann::json({"0"}));
  EXPECT_EQ(one["substitutions"][1]["replaced"], nlohmann::json({"1"}));
  EXPECT_EQ(one["substitutions"][2]["replaced"], nlohmann::json({"0", "1"}));
  EXPECT_EQ(one["substitutions"][2]["substitutes"], 54);
  EXPECT_EQ(one["substitutions"][2]["train_images"], 54);
  for (const auto& row : one["substitutions"]) {
    EXPECT_EQ(row["images"], "counterfactual");
    EXPECT_NEAR(row["percent_of_ceiling"].get<double>(),
                100 * row["accuracy"].get<double>() / one["ceiling"].get<double>(), 1e-9);
  }
  ASSERT_EQ(measured("two.json", {}).status, 0);
  EXPECT_EQ(bytes_of(path("two.json")), bytes_of(path("one.json")));

  ASSERT_EQ(measured("short.json", {"--steps", "1"}).status, 0);
  EXPECT_EQ(figures("short.json")["steps"], 1);

  expect_refused({"substitutability", "--run", path("sagen"), "--images", "composite"},
                 "sagen makes no 'composite'; there are counterfactual");
  expect_refused({"substitutability", "--run", path("classifier")}, "explains nothing");
}

TEST_F(Substitutability, ExplainganHasCompositesAndTransformedImages) {
  require(training("classifier", {"--learning-rate", "0.002"}));
  require({"train", "explaingan", "--data", "idx:" + path("data"), "--classifier", path("classifier"), "--out",
           path("explaingan"), "--steps", "2", "--batch", "4", "--width", "2", "--code", "4"});
  require({"substitutability", "--run", path("explaingan"), "--images", "transformed", "composite", "counterfactual",
           "--steps", "3", "--json", path("all.json")});
  const nlohmann::json rows = figures("all.json")["substitutions"];
  ASSERT_EQ(rows.size(), 9U);  // in the order of the names
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(rows[i]["images"], "composite");
    EXPECT_EQ(rows[3 + i]["images"], "counterfactual");
    EXPECT_EQ(rows[6 + i]["images"], "transformed");
    EXPECT_EQ(rows[i]["accuracy"], rows[3 + i]["accuracy"]);
  }
}

}  // namespace
}  // namespace counterfoil::app
