#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "metrics/class_discrimination.h"
#include "metrics/confounding.h"
#include "tensor/ops.h"

// What explanations change of attributes that they were not asked to change.

namespace counterfoil::metrics {
namespace {

/// Decides 1 where the pixel at `place` of an image [1,2,1] is above a half.
class PixelOracle final : public nn::Classifier {
 public:
  explicit PixelOracle(std::int64_t place) : place_(place) {}
  Variable logits(const Variable& x) override {
    return reshape(slice(x, 2, place_, place_ + 1), {x.shape()[0], 1}) - 0.5;
  }
  int class_count() const override { return 2; }
  bool single_logit() const override { return true; }

 private:
  std::int64_t place_;
};

Tensor images(const std::vector<float>& pixels) {
  return Tensor::from(pixels, {static_cast<std::int64_t>(pixels.size()) / 2, 1, 2, 1}, reference_device());
}

TEST(Confounding, IsTheFractionWhoseAttributeChanged) {
  PixelOracle oracle(1);
  const Tensor queries = images({0, 0, 0, 0, 0, 1, 0, 1});
  const Tensor explanations = images({1, 0, 1, 1, 1, 1, 1, 1});
  const Confounding found = confounding(oracle, queries, explanations);
  EXPECT_EQ(found.images, 4);
  EXPECT_DOUBLE_EQ(found.changed, 0.25);
  EXPECT_EQ(found.shares, (std::vector<double>{0.25, 0.75}));
  EXPECT_DOUBLE_EQ(confounding(oracle, queries, queries).changed, 0);
  EXPECT_DOUBLE_EQ(confounding(oracle, images({0, 1}), images({0, 0})).changed, 1);  // one image
  EXPECT_THROW(confounding(oracle, queries, images({0, 1})), Error);
}

TEST(Confounding, ByTargetTakesTheEndsAlone) {
  PixelOracle oracle(1);
  const Tensor queries = images({0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const Tensor explanations = images({0, 1, 0, 0, 0, 1, 0, 1, 0, 1});
  const auto asked = [&](const std::vector<double>& p) {
    return confounding_by_target(oracle, queries, explanations, Tensor::from(p, {5}, reference_device()));
  };
  const ConfoundingByTarget found = asked({0.95, 1, 0.05, 0.1, 0.9});  // the last two are in neither
  ASSERT_TRUE(found.present && found.absent);
  EXPECT_EQ(found.present->images, 2);
  EXPECT_DOUBLE_EQ(found.present->changed, 0.5);
  EXPECT_EQ(found.absent->images, 1);
  EXPECT_DOUBLE_EQ(found.absent->changed, 1);
  const ConfoundingByTarget one_side = asked({0.95, 0.95, 0.5, 0.5, 0.5});
  EXPECT_TRUE(one_side.present.has_value());
  EXPECT_FALSE(one_side.absent.has_value());
  EXPECT_THROW(confounding_by_target(oracle, queries, explanations,
                                     Tensor::from(std::vector<double>{1}, {1}, reference_device())),
               Error);
}

// Queries 00, 01, 10, 11. Explanations of the first label flip it always and the second once; those of the second flip
// nothing of the first and the second in half.
TEST(ClassDiscrimination, ARowForEachTargetAColumnForEachLabel) {
  PixelOracle first(0), second(1);
  const std::vector<nn::Classifier*> oracles = {&first, &second};
  const Tensor before = decided_labels(oracles, images({0, 0, 0, 1, 1, 0, 1, 1}));
  EXPECT_EQ(before.to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 0, 0, 1, 1, 0, 1, 1}));
  const std::vector<Tensor> after = {decided_labels(oracles, images({1, 0, 1, 1, 0, 0, 0, 0})),
                                     decided_labels(oracles, images({0, 1, 0, 0, 1, 0, 1, 1}))};
  const Tensor matrix = class_discrimination(before, after);
  EXPECT_EQ(matrix.shape(), (Shape{2, 2}));
  EXPECT_EQ(matrix.to_doubles(), (std::vector<double>{1, 0.25, 0, 0.5}));
}

TEST(ClassDiscrimination, RefusesWhatDoesNotFit) {
  const Tensor labels = Tensor::from(std::vector<std::int32_t>{0, 1}, {1, 2}, reference_device());
  EXPECT_THROW(class_discrimination(labels, {}), Error);
  EXPECT_THROW(class_discrimination(labels, {labels.reshape({2, 1})}), Error);
  EXPECT_THROW(class_discrimination(labels.reshape({2}), {labels}), Error);
  EXPECT_THROW(decided_labels({}, images({0, 1})), Error);
}

}  // namespace
}  // namespace counterfoil::metrics
