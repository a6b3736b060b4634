#include "nn/score.h"

#include <cmath>

#include <gmock/gmock.h>

#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "autograd/shaping.h"
#include "kernels/error.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

using testing::ElementsAre;
using Scale = Question::Scale;

/// Logits that are the squares of an image's pixels: [N,1,1,K] -> [N,K].
class Squares : public Classifier {
 public:
  explicit Squares(int outputs) : outputs_(outputs) {}
  Variable logits(const Variable& x) override { return square(flatten(x)); }
  int class_count() const override { return outputs_ == 1 ? 2 : outputs_; }
  bool single_logit() const override { return outputs_ == 1; }

 private:
  int outputs_;
};

Tensor images(const std::vector<double>& pixels, int outputs) {
  return f64(pixels, {static_cast<std::int64_t>(pixels.size()) / outputs, 1, 1, outputs});
}

TEST(Score, IsALogitOrADifferenceOfTwo) {
  Squares f(3);
  const Tensor x = images({1, 2, 3, 4, 5, 6}, 3);
  EXPECT_THAT(scores(f, x, {labels_of({2, 0})}).to_doubles(), ElementsAre(9, 16));
  EXPECT_THAT(scores(f, x, {labels_of({2, 0}), labels_of({0, 1})}).to_doubles(), ElementsAre(8, -9));
  EXPECT_THAT(scores(f, x, {labels_of({1, 1}), labels_of({1, 1})}).to_doubles(), ElementsAre(0, 0));
  EXPECT_THAT(scores(f, x, why_decided(f, x)).to_doubles(), ElementsAre(9, 36));
}

TEST(Score, OfOneLogitIsTheLogOddsWithItsSign) {
  Squares f(1);
  const Tensor x = images({1, 2, 3}, 1);
  EXPECT_THAT(scores(f, x, {labels_of({1, 0, 1})}).to_doubles(), ElementsAre(1, -4, 9));
  EXPECT_THAT(scores(f, x, {labels_of({1, 0, 1}), labels_of({0, 1, 1})}).to_doubles(), ElementsAre(1, -4, 0));
}

TEST(Score, OfProbabilities) {
  Squares f(3);
  const Tensor x = images({0, std::sqrt(std::log(2.0)), 0}, 3);  // p = 1/4, 1/2, 1/4
  EXPECT_NEAR(scores(f, x, {labels_of({1}), {}, Scale::probabilities}).to_doubles()[0], 0.5, 1e-14);
  EXPECT_NEAR(scores(f, x, {labels_of({1}), labels_of({2}), Scale::probabilities}).to_doubles()[0], 0.25, 1e-14);
  Squares one(1);
  const Tensor y = images({std::sqrt(std::log(3.0))}, 1);  // p = 1/4, 3/4
  EXPECT_NEAR(scores(one, y, {labels_of({0}), {}, Scale::probabilities}).to_doubles()[0], 0.25, 1e-14);
  EXPECT_NEAR(scores(one, y, {labels_of({1}), labels_of({0}), Scale::probabilities}).to_doubles()[0], 0.5, 1e-14);
}

TEST(Score, GradientsAreEachImagesOwnAndFollowRules) {
  Squares f(2);
  std::vector<double> pixels;
  std::vector<std::int32_t> classes;
  std::vector<double> expected;
  for (int i = 0; i < 150; ++i) {  // several parts
    pixels.insert(pixels.end(), {i + 1.0, -i - 0.5});
    classes.push_back(i % 2);
    expected.insert(expected.end(), {i % 2 == 0 ? 2 * (i + 1.0) : 0, i % 2 == 0 ? 0 : -2 * (i + 0.5)});
  }
  const Tensor x = images(pixels, 2);
  const Question question{labels_of(classes)};
  EXPECT_EQ(score_gradients(f, x, question).to_doubles(), expected);
  const BackwardRules rules = {
      {"square", [](const Node&, const Variable& d_y, const Needs&) -> Variables { return {d_y * 0.5}; }}};
  EXPECT_EQ(score_gradients(f, x, question, &rules).to_doubles()[2], 0);
  EXPECT_EQ(score_gradients(f, x, question, &rules).to_doubles()[3], 0.5);
}

TEST(Score, FewLargeImagesAreTakenAtOnce) {
  class Sums final : public Classifier {
   public:
    Variable logits(const Variable& x) override {
      most = std::max(most, x.shape()[0]);
      return sum(flatten(x), {1});
    }
    int class_count() const override { return 2; }
    bool single_logit() const override { return true; }
    std::int64_t most = 0;
  } f;
  const Tensor large = Tensor::full(Shape{5, 1024, 1024, 2}, 0.5, DType::f32, cpu_device());
  const Question question{Tensor::full(Shape{5}, 1, DType::i32, cpu_device())};
  EXPECT_THAT(scores(f, large, question).to_doubles(), testing::Each(testing::DoubleNear(1024 * 1024, 1)));
  EXPECT_EQ(score_gradients(f, large, question).shape(), large.shape());
  EXPECT_EQ(f.most, 2);
  EXPECT_EQ(images_at_once({1, 28, 28, 1}, 64), 64);
  EXPECT_EQ(images_at_once({1, 4096, 4096, 3}, 64), 1);
}

TEST(Score, QuestionsAreTakenApart) {
  const Question question{labels_of({3, 1, 2}), labels_of({0, 5, 4})};
  EXPECT_THAT(question.rows(1, 3).classes.to_vector<std::int32_t>(), ElementsAre(1, 2));
  EXPECT_THAT(question.rows(1, 3).against.to_vector<std::int32_t>(), ElementsAre(5, 4));
  EXPECT_THAT(question.gather({2, 2, 0}).classes.to_vector<std::int32_t>(), ElementsAre(2, 2, 3));
  EXPECT_FALSE(Question{labels_of({1})}.gather({0, 0}).against.defined());
  EXPECT_THAT(question.copies(2, 3).classes.to_vector<std::int32_t>(), ElementsAre(2, 2, 2));
  EXPECT_THAT(question.copies(2, 3).against.to_vector<std::int32_t>(), ElementsAre(4, 4, 4));
}

TEST(Score, RefusesClassesThatAreNotThere) {
  Squares f(3);
  const Tensor x = images({1, 2, 3}, 3);
  EXPECT_THROW(scores(f, x, {labels_of({3})}), Error);
  EXPECT_THROW(scores(f, x, {labels_of({-1})}), Error);
  EXPECT_THROW(score(f, x, {labels_of({0, 1})}), Error);
  EXPECT_THROW(scores(f, x, {labels_of({0}), labels_of({7})}), Error);
}

}  // namespace
}  // namespace counterfoil::nn
