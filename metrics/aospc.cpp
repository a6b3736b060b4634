#include "metrics/aospc.h"

#include <algorithm>

#include "metrics/attribution_values.h"
#include "metrics/pixel_noise.h"
#include "tensor/ops.h"

namespace counterfoil::metrics {
namespace {

/// Brings each image's map to [0,1]; a constant one to 0.
void normalise(AttributionValues& maps) {
  for (std::int64_t n = 0; n < maps.images(); ++n) {
    const auto size = static_cast<std::size_t>(maps.features());
    const auto map = std::span(maps.values).subspan(static_cast<std::size_t>(n) * size, size);
    const auto [low, high] = std::ranges::minmax(map);
    const double least = low, range = high - low;
    for (double& value : map) value = range > 0 ? (value - least) / range : 0;
  }
}

using Segment = std::vector<std::int64_t>;  // its pixels

/// The regions that `labels` counts from 1, by their mean of the map from the highest on.
std::vector<Segment> ranked(std::span<const std::int32_t> labels, std::span<const double> map) {
  std::vector<Segment> segments;
  std::vector<double> means;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 0) continue;
    const auto segment = static_cast<std::size_t>(labels[i] - 1);
    if (segment >= segments.size()) {
      segments.resize(segment + 1);
      means.resize(segment + 1);
    }
    segments[segment].push_back(static_cast<std::int64_t>(i));
    means[segment] += map[i];
  }
  for (std::size_t i = 0; i < means.size(); ++i) means[i] /= static_cast<double>(segments[i].size());
  std::vector<Segment> ordered;
  for (const std::int64_t i : from_highest(means)) ordered.push_back(std::move(segments[static_cast<std::size_t>(i)]));
  return ordered;
}

}  // namespace

Aospc aospc(nn::Classifier& classifier, const Tensor& x, const nn::Question& question, const Tensor& attributions,
            std::uint64_t seed, const AospcOptions& options) {
  const AttributionValues all = attribution_values(attributions, "aospc");
  check_explained(all, x, "aospc");
  if (!(options.threshold >= 0 && options.threshold < 1))
    fail("aospc: threshold {}, expected 0 <= t < 1", options.threshold);
  if (options.steps < 1) fail("aospc: {} steps, expected at least 1", options.steps);
  AttributionValues maps = pixel_values(all);
  normalise(maps);

  std::vector<double> above;
  for (const double value : maps.values) above.push_back(value > options.threshold ? 1 : 0);
  const Tensor mask = Tensor::from(above, Shape{maps.shape[0], maps.shape[1], maps.shape[2]}, reference_device());
  const std::vector<std::int32_t> labels = connected_components(mask, options.neighbours).to_vector<std::int32_t>();

  std::vector<std::vector<Segment>> segments;
  std::vector<std::int64_t> counts;
  const auto pixels_each = static_cast<std::size_t>(maps.features());
  for (std::int64_t n = 0; n < maps.images(); ++n) {
    const auto first = static_cast<std::size_t>(n) * pixels_each;
    segments.push_back(ranked(std::span(labels).subspan(first, pixels_each), maps.of(n)));
    counts.push_back(static_cast<std::int64_t>(segments.back().size()));
  }
  std::vector<double> noise;
  const auto fill = [&](std::int64_t image, std::int64_t step, std::span<double> pixels) {
    if (step == 1) noise = pixel_noise(x.shape(), seed, image);
    if (step > counts[static_cast<std::size_t>(image)]) return;
    for (const std::int64_t pixel : segments[static_cast<std::size_t>(image)][static_cast<std::size_t>(step - 1)])
      replace_pixel(pixels, noise, pixel, x.shape()[3]);
  };
  return {PerturbationCurve(scores_along(classifier, x, question, options.steps, fill, "aospc")), counts};
}

}  // namespace counterfoil::metrics
