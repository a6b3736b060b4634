#include "metrics/deletion_curve.h"

#include <algorithm>
#include <cmath>

#include "metrics/attribution_values.h"
#include "metrics/perturbation_curve.h"
#include "metrics/pixel_noise.h"
#include "tensor/ops.h"

namespace counterfoil::metrics {

DeletionCurve deletion_curve(nn::Classifier& classifier, const Tensor& x, const Tensor& labels,
                             const Tensor& attributions, std::uint64_t seed, const std::vector<double>& fractions) {
  const AttributionValues all = attribution_values(attributions, "deletion curve");
  check_explained(all, x, "deletion curve");
  const AttributionValues maps = pixel_values(all);
  const std::int64_t images = x.shape()[0];
  if (labels.dtype() != DType::i32 || !(labels.shape() == Shape{images})) {
    fail("deletion curve: labels {} {}, expected i32 {}", name_of(labels.dtype()), labels.shape().to_string(),
         Shape{images}.to_string());
  }
  if (fractions.empty() || !std::ranges::is_sorted(fractions) || !(fractions.front() >= 0 && fractions.back() <= 1))
    fail("deletion curve: expected ascending fractions in [0,1]");

  const std::vector<std::int32_t> expected = labels.to_vector<std::int32_t>();
  std::vector<std::int64_t> order;
  std::vector<double> noise;
  std::size_t deleted = 0;
  DeletionCurve curve;
  curve.correct = measure_along(
      x, static_cast<std::int64_t>(fractions.size()),
      [&](std::int64_t image, std::int64_t step, std::span<double> pixels) {
        if (step == 1) {
          order = from_highest(maps.of(image));
          noise = pixel_noise(x.shape(), seed, image);
          deleted = 0;
        }
        const double fraction = fractions[static_cast<std::size_t>(step - 1)];
        const auto wanted = static_cast<std::size_t>(std::lround(fraction * static_cast<double>(order.size())));
        for (; deleted < wanted; ++deleted) replace_pixel(pixels, noise, order[deleted], x.shape()[3]);
      },
      [&](const Tensor& copies, std::int64_t image) {
        std::vector<double> correct;
        for (const std::int32_t decision : classifier.decisions(copies).to_vector<std::int32_t>())
          correct.push_back(decision == expected[static_cast<std::size_t>(image)] ? 1 : 0);
        return correct;
      });
  for (const double correct : reduce(ReduceOp::sum, curve.correct, {0}).to_doubles())
    curve.accuracy.push_back(correct / static_cast<double>(images));
  return curve;
}

}  // namespace counterfoil::metrics
