#include "app/attribution_evaluation.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "metrics/annotation_overlap.h"
#include "metrics/aopc.h"
#include "metrics/aospc.h"
#include "metrics/baseline_distance.h"
#include "metrics/deletion_curve.h"
#include "metrics/faithfulness.h"
#include "metrics/inverse_localisation.h"
#include "metrics/sparseness.h"

namespace counterfoil::app {

namespace {

using Figure = std::optional<double>;
using Subject = AttributionSubject;

Figure mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  const double result = sum / static_cast<double>(values.size());
  return std::isfinite(result) ? Figure(result) : std::nullopt;
}

// Of a row of a markdown table.
std::string in_a_cell(const std::string& text) {
  std::string escaped;
  for (const char letter : text) escaped += letter == '|' ? "\\|" : std::string(1, letter);
  return escaped;
}

Figure aopc(const Subject& of, std::optional<std::int64_t> steps) {
  const std::int64_t features = of.file.attribution.size() / of.file.attribution.shape()[0];
  if (steps) steps = std::min(*steps, features);
  return mean(metrics::aopc(of.classifier, of.file.input, of.file.question, of.file.attribution, steps).area);
}

Figure aospc(const Subject& of) {
  return mean(metrics::aospc(of.classifier, of.file.input, of.file.question, of.file.attribution, of.seed).curve.area);
}

Figure deletion(const Subject& of) {
  return metrics::deletion_curve(of.classifier, of.file.input, of.decisions, of.file.attribution, of.seed)
      .accuracy.back();
}

Figure faithfulness(const Subject& of) {
  const Tensor baseline = of.file.baselines.defined() ? of.file.baseline() : of.file.input.zeros_like();
  return mean(metrics::faithfulness(of.classifier, of.file.input, of.file.question, of.file.attribution, baseline));
}

Figure monotonicity(const Subject& of) {
  return mean(
      metrics::monotonicity(of.classifier, of.file.input, of.file.question, of.file.attribution, of.replacements));
}

Figure inverse_localisation(const Subject& of) {
  constexpr std::int64_t kEighth = 8;
  const std::int64_t width = of.file.input.shape()[2], edge = std::max<std::int64_t>(1, width / kEighth);
  if (2 * edge >= width) return std::nullopt;
  return mean(metrics::inverse_localisation(of.file.attribution, edge));
}

Figure baseline_distance(const Subject& of) {
  if (!of.file.baselines.defined()) return std::nullopt;
  return metrics::baseline_distance(of.file.input, of.file.baselines);
}

template <int Percentile>
Figure iou(const Subject& of) {
  if (!of.annotations.defined()) return std::nullopt;
  return mean(metrics::intersection_over_union(of.file.attribution, of.annotations, Percentile));
}

Figure ncc(const Subject& of) {
  if (!of.annotations.defined()) return std::nullopt;
  return mean(metrics::normalised_cross_correlation(of.file.attribution, of.annotations));
}

}  // namespace

const std::vector<AttributionFigure>& attribution_figures() {
  static const std::vector<AttributionFigure> figures = {
      {"aopc_100",
       "area over the curve of the score while the 100 highest features are flipped to 1 - x; higher is better",
       [](const Subject& of) { return aopc(of, 100); }},
      {"aopc_all", "the same while all features are", [](const Subject& of) { return aopc(of, std::nullopt); }},
      {"aospc", "the same while the 10 highest segments are filled with noise; higher is better", aospc},
      {"deletion", "part of the images still decided so when the highest fifth of the pixels is noise; lower is better",
       deletion},
      {"sparseness", "Gini index of |a|, 0 to 1; 1 has everything in one feature",
       [](const Subject& of) { return mean(metrics::sparseness(of.file.attribution)); }},
      {"faithfulness",
       "correlation of a with the score's drop when one feature becomes the baseline's (the first; of none: 0); 1 is "
       "best",
       faithfulness},
      {"monotonicity",
       "rank correlation of |a| with the score's mean squared change when one feature becomes another image's; 1 is "
       "best",
       monotonicity},
      {"inverse_localisation",
       "mean |a| of an eighth of the columns at either side over that of the others; lower is more localised",
       inverse_localisation},
      {"baseline_distance", "mean Euclidean distance of the images to their baselines", baseline_distance},
      {"iou_90", "intersection over union of an annotation and the pixels above the 90th percentile; 1 is best",
       iou<90>},
      {"iou_95", "the same of the 95th", iou<95>},
      {"iou_98", "the same of the 98th", iou<98>},
      {"ncc", "correlation of an annotation and the attribution; 1 is best", ncc},
  };
  return figures;
}

AttributionEvaluation evaluate_attributions(const AttributionSubject& subject, const std::function<void()>& measured) {
  AttributionEvaluation evaluation{{}, subject.file.label, subject.file.input.shape()[0], {}};
  for (const AttributionFigure& figure : attribution_figures()) {
    evaluation.figures.emplace_back(figure.key, figure.measure(subject));
    measured();
  }
  return evaluation;
}

std::string to_json(const std::vector<AttributionEvaluation>& evaluations) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const AttributionEvaluation& evaluation : evaluations) {
    nlohmann::ordered_json one = {
        {"file", evaluation.file}, {"label", evaluation.label}, {"images", evaluation.images}};
    for (const auto& [key, value] : evaluation.figures)
      one[key] = value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
    files.push_back(one);
  }
  const nlohmann::ordered_json json = {{"files", files}};
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string to_markdown(const std::vector<AttributionEvaluation>& evaluations) {
  std::vector<std::string> titles = {"attribution", "images"};
  std::vector<std::size_t> columns;  // figures that some file has
  for (std::size_t i = 0; i < attribution_figures().size(); ++i) {
    const auto has = [i](const AttributionEvaluation& evaluation) { return evaluation.figures[i].second.has_value(); };
    if (std::ranges::none_of(evaluations, has)) continue;
    columns.push_back(i);
    titles.emplace_back(attribution_figures()[i].key);
  }
  std::string table = fmt::format("| {} |\n", fmt::join(titles, " | "));
  table += fmt::format("| {} |\n", fmt::join(std::vector<std::string>(titles.size(), "---"), " | "));
  for (const AttributionEvaluation& evaluation : evaluations) {
    std::vector<std::string> cells = {in_a_cell(evaluation.label), std::to_string(evaluation.images)};
    for (const std::size_t i : columns) {
      const std::optional<double>& value = evaluation.figures[i].second;
      cells.push_back(value ? fmt::format("{:.3f}", *value) : "-");
    }
    table += fmt::format("| {} |\n", fmt::join(cells, " | "));
  }
  return table;
}

}  // namespace counterfoil::app
