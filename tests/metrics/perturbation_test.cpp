#include "metrics/aopc.h"
#include "metrics/aospc.h"
#include "metrics/deletion_curve.h"
#include "tensor/ops.h"
#include "tests/metrics/perturbed_classifier.h"

// The metrics that perturb an image step by step.

namespace counterfoil::metrics {
namespace {

using testing::ElementsAre;
using Scale = nn::Question::Scale;

const golden::Case& perturbations() {
  static const golden::Case one = attribution_goldens().at("perturbations");
  return one;
}

Quadratic golden_classifier() {
  return {perturbations().tensor("linear"), perturbations().tensor("quadratic")};
}

nn::Question golden_question(Scale scale) {
  return {perturbations().indices("classes"), perturbations().indices("against"), scale};
}

Tensor channel_sum(const Tensor& attributions) {
  return reduce(ReduceOp::sum, attributions, {3});
}

/// 1 / (L + 1) sum of (s_0 - s_k) of each row's first L + 1 scores.
std::vector<double> areas(const Tensor& scores, std::int64_t steps) {
  std::vector<double> found;
  const std::vector<double> values = scores.to_doubles();
  const auto points = static_cast<std::size_t>(scores.shape()[1]);
  for (std::size_t n = 0; n < values.size() / points; ++n) {
    double mean = 0;
    for (std::int64_t k = 0; k <= steps; ++k) mean += values[n * points + static_cast<std::size_t>(k)];
    mean /= static_cast<double>(steps + 1);
    found.push_back(values[n * points] - mean);
  }
  return found;
}

TEST(Aopc, CurvesMatchNumpy) {
  Quadratic f = golden_classifier();
  const Tensor x = perturbations().tensor("x"), a = perturbations().tensor("attributions");
  for (const auto& [name, scale] : {std::pair{"logits", Scale::logits}, {"probabilities", Scale::probabilities}}) {
    const std::string role = std::string("aopc_") + name, map_role = std::string("aopc_map_") + name;
    const PerturbationCurve all = aopc(f, x, golden_question(scale), a, std::nullopt);
    perturbations().expect_equal(all.scores, role, 1e-12);
    expect_all_near(all.area, areas(perturbations().tensor(role), 60), 1e-12);
    const PerturbationCurve some = aopc(f, x, golden_question(scale), a, 7);
    expect_all_near(some.area, areas(perturbations().tensor(role), 7), 1e-12);
    EXPECT_EQ(some.scores.shape(), Shape({3, 8}));
    perturbations().expect_equal(aopc(f, x, golden_question(scale), channel_sum(a), std::nullopt).scores, map_role,
                                 1e-12);
  }
}

TEST(Aopc, ByHand) {
  Quadratic f = weighted_sum({8, 4, 2, 1});
  const Tensor x = f64({1, 0.75, 0, 1}, {1, 1, 4, 1});  // s = 12
  const nn::Question question{classes_of({1})};
  // Flips of places 3, 0, 1, 2 by value: -1, -8, -2, +2.
  const PerturbationCurve curve = aopc(f, x, question, f64({0.5, 0.5, -7, 2}, {1, 1, 4, 1}), std::nullopt);
  EXPECT_THAT(curve.scores.to_doubles(), ElementsAre(12, 11, 3, 1, 3));
  EXPECT_THAT(curve.area, ElementsAre((0 + 1 + 9 + 11 + 9) / 5.0));
  // All equal: in order of storage.
  EXPECT_THAT(aopc(f, x, question, f64({0, 0, 0, 0}, {1, 1, 4, 1}), 3).scores.to_doubles(), ElementsAre(12, 4, 2, 4));
  EXPECT_THAT(aopc(f, x, {classes_of({0})}, f64({0, 0, 0, 0}, {1, 1, 4, 1}), 1).area, ElementsAre(-4));
}

TEST(Aopc, AnImagesCurveIsItsOwnAndBatchesAreBounded) {
  Random random(3, "aopc");
  const Shape shape{3, 20, 20, 2};
  const Tensor weights = random.normal({800, 1}, 0, 1, cpu_device());
  const Tensor x = random.uniform(shape, 0, 1, cpu_device()), a = random.normal(shape, 0, 1, cpu_device());
  Quadratic f(weights, weights);
  const nn::Question question{classes_of({1, 0, 1}).to(cpu_device())};
  const PerturbationCurve all = aopc(f, x, question, a, std::nullopt);
  EXPECT_LE(f.largest_batch, 256);
  const PerturbationCurve last = aopc(f, slice(x, 0, 2, 3), question.rows(2, 3), slice(a, 0, 2, 3), std::nullopt);
  EXPECT_EQ(last.scores.to_doubles(), slice(all.scores, 0, 2, 3).to_doubles());
  EXPECT_EQ(last.area[0], all.area[2]);
}

TEST(Aopc, OfFloatsOnTheCpuIsTheSame) {
  const auto floats = [](const char* role) { return perturbations().tensor(role).to(DType::f32).to(cpu_device()); };
  Quadratic f(floats("linear"), floats("quadratic"));
  const nn::Question question{perturbations().indices("classes").to(cpu_device()),
                              perturbations().indices("against").to(cpu_device()), Scale::probabilities};
  perturbations().expect_equal(aopc(f, floats("x"), question, floats("attributions"), std::nullopt).scores,
                               "aopc_probabilities", 1e-5);
}

TEST(Aopc, RefusesWhatDoesNotFit) {
  Quadratic f = weighted_sum({8, 4, 2, 1});
  const Tensor x = f64({1, 0.75, 0, 1}, {1, 1, 4, 1}), a = f64({1, 2, 3, 4}, {1, 1, 4, 1});
  const nn::Question question{classes_of({1})};
  EXPECT_THROW(aopc(f, x, question, a), Error);  // 100 steps
  EXPECT_THROW(aopc(f, x, question, a, 0), Error);
  EXPECT_THROW(aopc(f, x, {classes_of({1, 1})}, a, 2), Error);
  EXPECT_THROW(aopc(f, x, {classes_of({1}), classes_of({0, 0})}, a, 2), Error);
  EXPECT_THROW(aopc(f, x, question, f64({1, 2, 3, 4}, {1, 4, 1, 1}), 2), Error);
  EXPECT_THROW(aopc(f, x, question, f64({1, 2, 3, 4, 5, 6, 7, 8}, {2, 1, 4, 1}), 2), Error);
  EXPECT_THROW(aopc(f, x, question, f64({1, 2, 3, 4, 5, 6, 7, 8}, {1, 1, 4, 2}), 2), Error);
  EXPECT_THROW(aopc(f, unary(UnaryOp::affine, x, 2, -1), question, a, 2), Error);  // [-1,1]
  Quadratic broken = weighted_sum({8, 4, 2, std::nan("")});
  EXPECT_THROW(aopc(broken, x, question, a, 2), Error);
}

// What a classifier was shown, compared with the steps at which the pixels should have gone.
struct Shown {
  const Quadratic& f;
  Tensor x;
  std::int64_t steps;

  void expect_taken(const Tensor& taken) const {
    const std::vector<double> own = x.to_doubles(), step_of = taken.to_doubles();
    const auto channels = static_cast<std::size_t>(x.shape()[3]), images = static_cast<std::size_t>(x.shape()[0]);
    const std::size_t each = own.size() / images, points = static_cast<std::size_t>(steps) + 1;
    ASSERT_EQ(f.asked.size(), own.size() * points);
    std::vector<double> filled(own.size(), -1);
    int wrong = 0;
    for (std::size_t n = 0; n < images; ++n) {
      for (std::size_t k = 0; k < points; ++k) {
        for (std::size_t i = 0; i < each; ++i) {
          const double pixel = f.asked[(n * points + k) * each + i];
          const double step = step_of[(n * each + i) / channels];
          const bool gone = step > 0 && step <= static_cast<double>(k);
          wrong += gone == (pixel == own[n * each + i]) || pixel < 0 || pixel > 1;
          double& fill = filled[n * each + i];  // a fill stays
          if (gone) wrong += std::exchange(fill, pixel) != pixel && fill >= 0 && k > static_cast<std::size_t>(step);
        }
      }
    }
    EXPECT_EQ(wrong, 0);
  }
};

/// Images of 0.5 with three channels, of the size of the golden file's maps; noise meets 0.5 once in 2^24.
Tensor grey() {
  return Tensor::full(Shape{3, 14, 13, 3}, 0.5, DType::f64, reference_device());
}

Quadratic mean_of_grey() {
  return weighted_sum(std::vector<double>(14 * 13 * 3, 1.0 / (14 * 13 * 3)));
}

TEST(Aospc, SegmentsAndTheirOrderMatchScipy) {
  for (const char* name : {"segments_8", "segments_4", "segments_few"}) {
    const golden::Case one = attribution_goldens().at(name);
    Quadratic f = mean_of_grey();
    const Aospc found =
        aospc(f, grey(), {classes_of({1, 1, 1})}, attribution_goldens().at("deletions").tensor("attributions"), 5,
              {.threshold = one.attribute<double>("threshold"), .neighbours = one.attribute<int>("neighbours")});
    Shown{f, grey(), 10}.expect_taken(one.tensor("taken"));
    EXPECT_EQ(std::vector<double>(found.segments.begin(), found.segments.end()), one.tensor("counts").to_doubles());
    expect_all_near(found.curve.area, areas(found.curve.scores, 10), 1e-12);
  }
}

TEST(Aospc, ByHand) {
  // Of one row: segments {0}, mean 0.7, {2, 3}, mean (1 + 0.8) / 2, {5}, mean 0.7, after bringing -1..9 to 0..1.
  const Tensor a = f64({6, 0, 9, 7, -1, 6, 4}, {1, 1, 7, 1});
  const Tensor x = Tensor::full(Shape{1, 1, 7, 1}, 1, DType::f64, reference_device());
  Quadratic f({f64({0, 0, 0, 0, 0, 0, 0}, {7, 1})}, {f64({1, 0, 4, 0, 0, 16, 0}, {7, 1})});
  const Aospc found = aospc(f, x, {classes_of({1})}, a, 1, {.steps = 5});
  EXPECT_THAT(found.segments, ElementsAre(3));
  const std::vector<double> last(f.asked.end() - 7, f.asked.end());
  const auto lost = [&](std::size_t i, double weight) { return weight * (1 - last[i] * last[i]); };
  const double s1 = 21 - lost(2, 4), s2 = s1 - lost(0, 1), s3 = s2 - lost(5, 16);
  expect_all_near(found.curve.scores.to_doubles(), {21, s1, s2, s3, s3, s3}, 1e-12);
  EXPECT_NEAR(found.curve.area[0], (6 * 21.0 - 21 - s1 - s2 - 3 * s3) / 6, 1e-12);
}

TEST(Aospc, AConstantMapTakesNothing) {
  Quadratic f = mean_of_grey();
  const Tensor a = Tensor::full(Shape{3, 14, 13, 1}, 0.9, DType::f32, reference_device());
  const Aospc found = aospc(f, grey(), {classes_of({1, 1, 1})}, a, 5, {.threshold = 0});
  EXPECT_THAT(found.segments, ElementsAre(0, 0, 0));
  EXPECT_THAT(found.curve.area, ElementsAre(0, 0, 0));
}

TEST(Aospc, NoiseIsOfTheSeedAndTheImage) {
  const Tensor a = attribution_goldens().at("deletions").tensor("attributions");
  const auto scores = [&](std::int64_t images, std::uint64_t seed) {
    Quadratic f = mean_of_grey();
    const nn::Question question = nn::Question{classes_of({1, 1, 1})}.rows(0, images);
    return slice(aospc(f, slice(grey(), 0, 0, images), question, slice(a, 0, 0, images), seed).curve.scores, 0, 1, 2)
        .to_doubles();
  };
  EXPECT_EQ(scores(3, 5), scores(2, 5));
  EXPECT_NE(scores(3, 5), scores(3, 6));
  Quadratic f = mean_of_grey();
  const std::vector<Tensor> twice = {slice(a, 0, 0, 1), slice(a, 0, 0, 1)};
  const Tensor x = slice(grey(), 0, 0, 2);
  const Tensor same = aospc(f, x, {classes_of({1, 1})}, concat(twice, 0), 5).curve.scores;
  EXPECT_EQ(slice(same, 1, 0, 1).to_doubles()[0], slice(same, 1, 0, 1).to_doubles()[1]);
  EXPECT_NE(slice(same, 1, 1, 2).to_doubles()[0], slice(same, 1, 1, 2).to_doubles()[1]);
}

TEST(Aospc, RefusesOptionsOutOfRange) {
  Quadratic f = mean_of_grey();
  const nn::Question question{classes_of({1, 1, 1})};
  const Tensor a = attribution_goldens().at("deletions").tensor("attributions");
  EXPECT_THROW(aospc(f, grey(), question, a, 5, {.threshold = 1}), Error);
  EXPECT_THROW(aospc(f, grey(), question, a, 5, {.threshold = -0.1}), Error);
  EXPECT_THROW(aospc(f, grey(), question, a, 5, {.steps = 0}), Error);
  EXPECT_THROW(aospc(f, grey(), question, a, 5, {.neighbours = 6}), Error);
}

TEST(DeletionCurve, TakesThePixelsThatNumpyTakes) {
  const golden::Case one = attribution_goldens().at("pixels");
  Quadratic f = mean_of_grey();
  const auto fractions = one.attribute<std::vector<double>>("fractions");
  deletion_curve(f, grey(), classes_of({1, 1, 1}), attribution_goldens().at("deletions").tensor("attributions"), 5,
                 fractions);
  Shown{f, grey(), static_cast<std::int64_t>(fractions.size())}.expect_taken(one.tensor("taken"));
}

TEST(DeletionCurve, ByHand) {
  // z = v_3 - v_0: class 1 as soon as noise in [0,1) takes the place of v_0 = 1 beside v_3 = 1.
  Quadratic f = weighted_sum({-1, 0, 0, 1});
  const Tensor x = f64({1, 0, 0, 1, 1, 0, 0, 1}, {2, 1, 4, 1});  // z = 0: class 0
  const Tensor a = f64({5, 0, 0, 1, 0, 5, 4, 0}, {2, 1, 4, 1});
  const DeletionCurve curve = deletion_curve(f, x, classes_of({0, 0}), a, 1, {0.25, 0.5, 0.75});
  // Image 0 loses pixel 0 first; image 1 two pixels that do not matter, then pixel 0.
  EXPECT_EQ(std::vector<double>(curve.accuracy.begin(), curve.accuracy.begin() + 2), (std::vector<double>{1, 0.5}));
  EXPECT_EQ(slice(curve.correct, 0, 1, 2).to_doubles(), (std::vector<double>{1, 1, 1, 0}));
  EXPECT_THAT(deletion_curve(f, x, classes_of({1, 0}), a, 1).accuracy, testing::SizeIs(5));
  EXPECT_EQ(deletion_curve(f, x, classes_of({1, 0}), a, 1).accuracy[0], 0.5);
}

TEST(DeletionCurve, RefusesWhatDoesNotFit) {
  Quadratic f = weighted_sum({-1, 0, 0, 1});
  const Tensor x = f64({1, 0, 0, 1}, {1, 1, 4, 1});
  EXPECT_THROW(deletion_curve(f, x, classes_of({0, 0}), x, 1), Error);
  EXPECT_THROW(deletion_curve(f, x, f64({0}, {1}), x, 1), Error);
  EXPECT_THROW(deletion_curve(f, x, classes_of({0}), x, 1, {0.2, 0.1}), Error);
  EXPECT_THROW(deletion_curve(f, x, classes_of({0}), x, 1, {0.2, 1.1}), Error);
  EXPECT_THROW(deletion_curve(f, x, classes_of({0}), x, 1, {}), Error);
  EXPECT_THROW(deletion_curve(f, x, classes_of({0}), x, 1, {std::nan("")}), Error);
}

}  // namespace
}  // namespace counterfoil::metrics
