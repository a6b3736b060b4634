#include "metrics/faithfulness.h"

#include <algorithm>
#include <functional>

#include "metrics/attribution_values.h"
#include "metrics/correlation.h"
#include "metrics/perturbation_curve.h"

namespace counterfoil::metrics {
namespace {

std::span<const double> row(std::span<const double> values, std::int64_t row, std::size_t size) {
  return values.subspan(static_cast<std::size_t>(row) * size, size);
}

/// s(x) - s(x with one feature changed to that of other(image) [H*W*C]): [N * features], of one feature after the
/// other.
std::vector<double> drops(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                          const AttributionValues& attributions,
                          const std::function<std::span<const double>(std::int64_t image)>& other, const char* who) {
  const auto width = static_cast<std::size_t>(x.shape()[3] / attributions.shape[3]);  // channels of a feature
  const auto features = static_cast<std::size_t>(attributions.features());
  std::vector<double> own;
  std::vector<bool> same;  // [N * features]: nothing changed
  const auto change = [&](std::int64_t image, std::int64_t step, std::span<double> pixels) {
    if (step == 1) own.assign(pixels.begin(), pixels.end());
    const auto feature = [&](std::int64_t i) { return static_cast<std::size_t>(i) * width; };
    if (step > 1) std::ranges::copy(std::span(own).subspan(feature(step - 2), width), &pixels[feature(step - 2)]);
    const auto to = pixels.subspan(feature(step - 1), width);
    const auto from = other(image).subspan(feature(step - 1), width);
    same.push_back(std::ranges::equal(from, to));
    std::ranges::copy(from, to.begin());
  };
  const std::vector<double> scores =
      scores_along(classifier, x, question, attributions.features(), change, who).to_doubles();
  std::vector<double> found;
  for (std::int64_t n = 0; n < attributions.images(); ++n) {
    const auto curve = row(scores, n, features + 1);
    // The last bits of a score can depend on how many images it is computed with: equal images are not compared.
    for (const double score : curve.subspan(1)) found.push_back(same[found.size()] ? 0 : curve.front() - score);
  }
  return found;
}

}  // namespace

std::vector<double> faithfulness(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                                 const Tensor& attributions, const Tensor& baselines) {
  const AttributionValues all = attribution_values(attributions, "faithfulness");
  check_explained(all, x, "faithfulness");
  if (!(baselines.shape() == x.shape()) && !(baselines.shape() == x.shape().with(0, 1))) {
    fail("faithfulness: baselines {}, expected {}, or one for all", baselines.shape().to_string(),
         x.shape().to_string());
  }
  const std::vector<double> pixels = baselines.to_doubles();
  const bool one = baselines.shape()[0] == 1;
  const auto size = static_cast<std::size_t>(x.size() / x.shape()[0]);
  const std::vector<double> dropped = drops(
      classifier, x, question, all, [&](std::int64_t image) { return row(pixels, one ? 0 : image, size); },
      "faithfulness");
  std::vector<double> found;
  for (std::int64_t n = 0; n < all.images(); ++n)
    found.push_back(pearson(all.of(n), row(dropped, n, all.of(n).size())));
  return found;
}

std::vector<double> monotonicity(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                                 const Tensor& attributions, const Tensor& replacements) {
  const AttributionValues all = attribution_values(attributions, "monotonicity");
  check_explained(all, x, "monotonicity");
  const Shape& shape = replacements.shape();
  if (shape.rank() != 4 || shape[0] < 1 || !(shape.with(0, 1) == x.shape().with(0, 1))) {
    fail("monotonicity: replacements {}, expected images like {}", shape.to_string(), x.shape().to_string());
  }
  const std::vector<double> pixels = replacements.to_doubles();
  const auto size = static_cast<std::size_t>(x.size() / x.shape()[0]);
  std::vector<double> squared(all.values.size());
  for (std::int64_t m = 0; m < shape[0]; ++m) {
    const std::vector<double> dropped = drops(
        classifier, x, question, all, [&](std::int64_t) { return row(pixels, m, size); }, "monotonicity");
    for (std::size_t i = 0; i < squared.size(); ++i)
      squared[i] += dropped[i] * dropped[i] / static_cast<double>(shape[0]);
  }
  std::vector<double> found;
  for (std::int64_t n = 0; n < all.images(); ++n)
    found.push_back(spearman(absolute(all.of(n)), row(squared, n, all.of(n).size())));
  return found;
}

}  // namespace counterfoil::metrics
