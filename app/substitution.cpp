#include "app/substitution.h"

#include <algorithm>
#include <numeric>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"

namespace counterfoil::app {

namespace {

void append(data::Dataset& images, const Tensor& pixels, const std::vector<std::int32_t>& labels) {
  const std::vector<std::uint8_t> bytes = convert(pixels, DType::u8, 255).to_vector<std::uint8_t>();
  images.pixels.insert(images.pixels.end(), bytes.begin(), bytes.end());
  images.labels.insert(images.labels.end(), labels.begin(), labels.end());
}

std::vector<std::int32_t> places_labelled(const data::Dataset& images, const std::vector<std::int32_t>& classes,
                                          bool wanted) {
  std::vector<std::int32_t> places;
  for (std::int32_t i = 0; i < images.size(); ++i) {
    const bool among = std::ranges::find(classes, images.labels[static_cast<std::size_t>(i)]) != classes.end();
    if (among == wanted) places.push_back(i);
  }
  return places;
}

using Explanation = std::map<std::string, Tensor>;

/// The images with a label to be trained with that are asked for by a name.
const Tensor& crossed_images(const Explanation& explanation, const std::string& name, const std::string& method) {
  std::map<std::string, const char*> known = {{"counterfactual", "counterfactual"}};
  if (explanation.contains("transformed")) {
    known.emplace("composite", "counterfactual");
    known.emplace("transformed", "transformed");
  }
  if (const auto found = known.find(name); found != known.end()) return explanation.at(found->second);
  std::vector<std::string> names;
  for (const auto& [one, of] : known) names.push_back(one);
  fail("--images: {} makes no {}; there are {}; the nearest is '{}'", method, in_quotes(name), fmt::join(names, ", "),
       nearest_name(name, names));
}

}  // namespace

CrossedImages cross(ExplainerRun& explained, const data::Dataset& train, const std::vector<std::string>& names,
                    const std::function<void(std::int64_t)>& progress) {
  const std::string& method = explained.run.settings->kind().name;
  constexpr std::int64_t kPart = 64;
  CrossedImages crossed;
  for (std::int64_t first = 0; first < train.size(); first += kPart) {
    std::vector<std::int32_t> positions(static_cast<std::size_t>(std::min(kPart, train.size() - first)));
    std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(first));
    const Explanation explanation = explain_images(explained, train.images(positions, *explained.run.device));
    if (!explanation.contains("target")) {
      fail("{} changes the decision among {} classes and not towards one: its images have no label to be trained with",
           method, train.class_names.size());
    }
    const std::vector<std::int32_t> targets = explanation.at("target").to_vector<std::int32_t>();
    for (const std::string& name : names)
      append(crossed.try_emplace(name, train.subset({})).first->second, crossed_images(explanation, name, method),
             targets);
    progress(first + std::ssize(positions));
  }
  return crossed;
}

data::Dataset substitute(const data::Dataset& train, const data::Dataset& crossed,
                         const std::vector<std::int32_t>& classes) {
  for (const std::int32_t one : classes) {
    if (std::ranges::find(crossed.labels, one) != crossed.labels.end()) continue;
    fail("no training image is led to {}: nothing can take its images' place",
         in_quotes(train.class_names[static_cast<std::size_t>(one)]));
  }
  data::Dataset result = train.subset(places_labelled(train, classes, false));
  const data::Dataset substitutes = crossed.subset(places_labelled(crossed, classes, true));
  result.pixels.insert(result.pixels.end(), substitutes.pixels.begin(), substitutes.pixels.end());
  result.labels.insert(result.labels.end(), substitutes.labels.begin(), substitutes.labels.end());
  return result;
}

std::string to_json(const Substitutability& measured) {
  nlohmann::ordered_json json = {{"run", measured.run},
                                 {"method", measured.method},
                                 {"classifier", measured.classifier},
                                 {"steps", measured.steps},
                                 {"seed", measured.seed},
                                 {"train_images", measured.train_images},
                                 {"test_images", measured.test_images},
                                 {"ceiling", measured.ceiling},
                                 {"substitutions", nlohmann::ordered_json::array()}};
  for (const Substitutability::Row& row : measured.rows) {
    json["substitutions"].push_back({{"images", row.images},
                                     {"replaced", row.replaced},
                                     {"substitutes", row.substitutes},
                                     {"train_images", row.train_images},
                                     {"accuracy", row.accuracy},
                                     {"percent_of_ceiling", row.percent_of_ceiling}});
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace counterfoil::app
