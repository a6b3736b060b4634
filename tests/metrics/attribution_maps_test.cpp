#include <limits>

#include "metrics/annotation_overlap.h"
#include "metrics/attribution_values.h"
#include "metrics/inverse_localisation.h"
#include "metrics/sparseness.h"
#include "tests/metrics/perturbed_classifier.h"

// The metrics that look at the attribution alone.

namespace counterfoil::metrics {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Attributions of one row of pixels each, one channel.
Tensor rows(const std::vector<std::vector<double>>& values) {
  std::vector<double> all;
  for (const std::vector<double>& row : values) all.insert(all.end(), row.begin(), row.end());
  return f64(all, {static_cast<std::int64_t>(values.size()), 1, static_cast<std::int64_t>(values[0].size()), 1});
}

std::string complaint(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(AttributionValues, NameTheValueThatIsNotFinite) {
  std::vector<double> values(2 * 2 * 3 * 2);
  values[12 + 6 + 4 + 1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(complaint([&] {
                sparseness(f64(values, {2, 2, 3, 2}));
              }),
              HasSubstr("nan in image 1 at row 1, column 2, channel 1"));
  values[23] = 0;
  values[1] = -kInfinity;
  EXPECT_THAT(complaint([&] {
                sparseness(f64(values, {2, 2, 3, 2}));
              }),
              HasSubstr("-inf in image 0 at row 0, column 0, channel 1"));
}

TEST(AttributionValues, AreOfImagesAndFloats) {
  EXPECT_THROW(sparseness(f64({1, 2}, {1, 2, 1})), Error);
  EXPECT_THROW(sparseness(f64({}, {0, 2, 1, 1})), Error);
  EXPECT_THROW(sparseness(Tensor::full(Shape{1, 2, 2, 1}, 1, DType::i32, reference_device())), Error);
}

TEST(Sparseness, IsTheMeanDifferenceOfPairs) {
  const golden::Case places = attribution_goldens().at("places");
  expect_all_near(sparseness(places.tensor("attributions")), places.tensor("gini").to_doubles(), 1e-12);
}

TEST(Sparseness, ByHand) {
  // |a| = 1, 1, 2, 4: (-3 - 1 + 2 + 12) / (4 * 8)
  expect_all_near(sparseness(rows({{-1, 4, 1, -2}, {0, 0, -3, 0}, {2, -2, 2, 2}, {0, 0, 0, 0}})),
                  {10.0 / 32, 0.75, 0, 0}, 1e-15);
  EXPECT_THAT(sparseness(rows({{-5}, {0}})), ElementsAre(0, 0));
  expect_all_near(sparseness(rows({{1e308, 1e308, 0, 0}})), {0.5}, 1e-15);
}

TEST(InverseLocalisation, MatchesNumpy) {
  const golden::Case places = attribution_goldens().at("places");
  expect_all_near(inverse_localisation(places.tensor("attributions"), places.attribute<std::int64_t>("edge")),
                  places.tensor("inverse_localisation").to_doubles(), 1e-12);
}

TEST(InverseLocalisation, ByHand) {
  const Tensor a = rows({{-3, 1, -1, 1, 1}, {0, 4, 0, 0, 0}, {0, 0, 0, 0, 0}, {-2, -2, -2, -2, -2}, {1, 0, 0, 0, 0}});
  EXPECT_THAT(inverse_localisation(a, 1), ElementsAre(2, 0, 1, 1, kInfinity));
  EXPECT_THAT(inverse_localisation(a, 2), ElementsAre(1.5, kInfinity, 1, 1, kInfinity));
  EXPECT_THROW(inverse_localisation(a, 0), Error);
  EXPECT_THROW(inverse_localisation(a, 3), Error);
}

TEST(IntersectionOverUnion, MatchesNumpy) {
  const golden::Case places = attribution_goldens().at("places");
  std::vector<double> found;
  for (const double p : places.attribute<std::vector<double>>("percentiles")) {
    const auto at_p = intersection_over_union(places.tensor("attributions"), places.indices("annotations"), p);
    found.insert(found.end(), at_p.begin(), at_p.end());
  }
  expect_all_near(found, places.tensor("intersection_over_union").to_doubles(), 1e-12);
}

TEST(IntersectionOverUnion, ByHand) {
  // The 75th percentile of 0..4 is 3: only 4 is above; the 60th is 2.4.
  const Tensor a = rows({{4, 3, 2, 1, 0}}), annotated = rows({{1, 1, 1, 0, 0}});
  EXPECT_THAT(intersection_over_union(a, annotated, 75), ElementsAre(1.0 / 3));
  EXPECT_THAT(intersection_over_union(a, annotated, 60), ElementsAre(2.0 / 3));
  EXPECT_THAT(intersection_over_union(a, annotated, 100), ElementsAre(1.0 / 3));
  EXPECT_THAT(intersection_over_union(a, rows({{0, 0, 0, 0, 7}}), 60), ElementsAre(0));
}

TEST(IntersectionOverUnion, TiesDoNotSelectTheWholeImage) {
  const Tensor annotated = rows({{1, 1, 1, 0, 0, 0}});
  for (const double p : {0.0, 50.0, 90.0, 100.0}) {
    EXPECT_THAT(intersection_over_union(rows({{0, 0, 0, 0, 0, 0}}), annotated, p), ElementsAre(0)) << p;
    EXPECT_THAT(intersection_over_union(rows({{-2, -2, -2, -2, -2, -2}}), annotated, p), ElementsAre(0)) << p;
  }
  // Below one value all others are equal: the percentile is theirs, and the one alone is above it.
  EXPECT_THAT(intersection_over_union(rows({{1, 0, 0, 0, 0, 0}}), annotated, 50), ElementsAre(1.0 / 3));
  // A mask larger than the percentile leaves: the mask.
  EXPECT_THAT(intersection_over_union(rows({{1, 1, 1, 1, 0, 0}}), annotated, 90), ElementsAre(0.75));
  EXPECT_THAT(intersection_over_union(rows({{0, 0}}), rows({{0, 0}}), 50), ElementsAre(0));
}

TEST(IntersectionOverUnion, RefusesWhatDoesNotFit) {
  const Tensor a = rows({{4, 3, 2}}), annotated = rows({{1, 1, 0}});
  EXPECT_THROW(intersection_over_union(a, rows({{1, 1}}), 50), Error);
  EXPECT_THROW(intersection_over_union(a, rows({{1, 1, 0}, {1, 1, 0}}), 50), Error);
  EXPECT_THROW(intersection_over_union(a, annotated, 100.5), Error);
  EXPECT_THROW(intersection_over_union(a, annotated, -1), Error);
  EXPECT_THROW(intersection_over_union(a, annotated, kInfinity - kInfinity), Error);
}

TEST(CrossCorrelation, MatchesNumpy) {
  const golden::Case places = attribution_goldens().at("places");
  expect_all_near(normalised_cross_correlation(places.tensor("attributions"), places.indices("annotations")),
                  places.tensor("cross_correlation").to_doubles(), 1e-12);
}

TEST(CrossCorrelation, KnowsNoScaleAndNoLevel) {
  const Tensor annotated = rows({{0, 1, 1, 0}, {0, 1, 1, 0}, {0, 1, 1, 0}, {1, 1, 1, 1}});
  const Tensor a = rows({{5, 9, 9, 5}, {-1, -3, -3, -1}, {2, 2, 2, 2}, {1, 2, 3, 4}});
  expect_all_near(normalised_cross_correlation(a, annotated), {1, -1, 0, 0}, 1e-15);
  EXPECT_THROW(normalised_cross_correlation(a, rows({{0, 1, 1, 0}})), Error);
}

}  // namespace
}  // namespace counterfoil::metrics
