#include "metrics/aopc.h"

#include "metrics/attribution_values.h"

namespace counterfoil::metrics {

PerturbationCurve aopc(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                       const Tensor& attributions, std::optional<std::int64_t> steps) {
  const AttributionValues all = attribution_values(attributions, "aopc");
  check_explained(all, x, "aopc");
  const std::int64_t last = steps.value_or(all.features());
  if (last < 1 || last > all.features()) fail("aopc: {} steps, expected 1 to {}, the features", last, all.features());
  const std::int64_t width = x.shape()[3] / all.shape[3];  // channels that a feature has

  std::vector<std::int64_t> order;
  return PerturbationCurve(scores_along(
      classifier, x, question, last,
      [&](std::int64_t image, std::int64_t step, std::span<double> pixels) {
        if (step == 1) order = from_highest(all.of(image));
        const std::int64_t first = order[static_cast<std::size_t>(step - 1)] * width;
        for (double& pixel : pixels.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(width)))
          pixel = 1 - pixel;
      },
      "aopc"));
}

}  // namespace counterfoil::metrics
