#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/attribution_file.h"

namespace counterfoil::app {

/// What the figures of attributions are measured with.
struct AttributionSubject {
  nn::Classifier& classifier;
  const AttributionFile& file;  ///< its question has its classes
  Tensor decisions;             ///< i32 [N]
  Tensor replacements;          ///< [M,H,W,C], images of the data
  Tensor annotations;           ///< [N,H,W,1], undefined where there are none
  std::uint64_t seed;
};

/// A figure of an attribution: the mean over the images.
struct AttributionFigure {
  const char* key;      ///< in JSON
  const char* meaning;  ///< what is measured, its range, and which end is good
  /// Nothing where it is not defined.
  std::optional<double> (*measure)(const AttributionSubject& subject);
};

/// Every figure, in the order of the tables. To add one, add its line in attribution_evaluation.cpp.
const std::vector<AttributionFigure>& attribution_figures();

struct AttributionEvaluation {
  std::string file, label;
  std::int64_t images = 0;
  std::vector<std::pair<std::string, std::optional<double>>> figures;  ///< in the order of attribution_figures()
};
/// `measured` is called after each figure.
AttributionEvaluation evaluate_attributions(const AttributionSubject& subject, const std::function<void()>& measured);

/// {"files": [an object for each: file, label, images, and the figures under their keys, null where not defined]}
std::string to_json(const std::vector<AttributionEvaluation>& evaluations);
/// A table with a row per file.
std::string to_markdown(const std::vector<AttributionEvaluation>& evaluations);

}  // namespace counterfoil::app
