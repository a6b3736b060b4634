#include "app/evaluation.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "kernels/error.h"
#include "metrics/agreement.h"
#include "metrics/embedding.h"
#include "metrics/frechet_distance.h"
#include "metrics/jensen_shannon.h"
#include "metrics/latent_space_closeness.h"
#include "metrics/mask_nonzero.h"
#include "metrics/verification.h"
#include "tensor/ops.h"

namespace counterfoil::app {

namespace {

/// Codes of one kind of image, apart by a class of each.
using CodesByClass = std::vector<Tensor>;

CodesByClass split_by_class(const Tensor& codes, const std::vector<std::int32_t>& classes_of_rows, int classes) {
  CodesByClass parts;
  for (int one = 0; one < classes; ++one) {
    std::vector<std::int32_t> positions;
    for (std::size_t i = 0; i < classes_of_rows.size(); ++i) {
      if (classes_of_rows[i] == one) positions.push_back(static_cast<std::int32_t>(i));
    }
    const Tensor index = Tensor::from(positions, {static_cast<std::int64_t>(positions.size())}, codes.device());
    parts.push_back(gather_rows(codes, index));
  }
  return parts;
}

struct Codes {
  std::optional<CodesByClass> counterfactual;  ///< by target
  CodesByClass queries, explanations;          ///< in the identity's embedding, row by row, by target
  std::optional<CodesByClass> stable;          ///< by the decision on the query
};

Evaluation evaluate_images(ExplainerRun& explained, const std::map<std::string, Tensor>& explanation,
                           const Tensor& decisions) {
  Evaluation evaluation;
  evaluation.method = explained.run.settings->kind().name;
  evaluation.images = decisions.size();
  const Tensor& counterfactual = explanation.at("counterfactual");
  evaluation.acc_adversarial = metrics::agreement(decisions, explained.classifier.decisions(counterfactual));
  evaluation.flip_rate = 1 - evaluation.acc_adversarial;
  if (const auto target = explanation.find("target"); target != explanation.end()) {
    evaluation.acc_target = metrics::agreement(target->second, explained.classifier.decisions(counterfactual));
  }
  if (const auto mask = explanation.find("mask"); mask != explanation.end()) {
    evaluation.mask_size = mean(Variable(mask->second)).item();
    evaluation.mask_nonzero = metrics::mask_nonzero(mask->second);
  }
  const char* stable_name = explanation.contains("stable") ? "stable" : "reconstruction";
  if (const auto stable = explanation.find(stable_name); stable != explanation.end()) {
    evaluation.acc_stable = metrics::agreement(decisions, explained.classifier.decisions(stable->second));
  }
  const metrics::QueryDistance distance = metrics::query_distance(counterfactual, explanation.at("input"));
  evaluation.distance_l1 = distance.l1;
  evaluation.distance_l2 = distance.l2;
  return evaluation;
}

void measure_codes(Evaluation& evaluation, const CodesByClass& real, const Codes& codes,
                   const metrics::PrincipalPlane& plane) {
  constexpr std::int64_t kFewest = 3;
  const auto js = [&](const Tensor& a, const Tensor& b) -> std::optional<double> {
    try {
      return metrics::jensen_shannon_distance(plane.project(a), plane.project(b));
    } catch (const Error& error) {
      fmt::print(stderr, "js is not defined here: {}\n", error.what());
      return std::nullopt;
    }
  };
  if (!codes.counterfactual) return;
  const std::size_t classes = real.size();
  for (std::size_t i = 0; i < classes; ++i) {
    const std::size_t to = classes == 2 ? 1 - i : i;
    const Tensor& generated = (*codes.counterfactual)[to];
    const std::int64_t fewest = std::min(generated.shape()[0], real[to].shape()[0]);
    if (fewest < kFewest && classes == 2)
      fail("evaluate: {} test images are decided {}, expected {} or more", fewest, i, kFewest);
    if (fewest < kFewest) continue;
    Evaluation::Direction direction;
    direction.to = static_cast<int>(to);
    direction.images = generated.shape()[0];
    direction.real_images = real[to].shape()[0];
    direction.rank_deficient = metrics::rank_deficient(generated, real[to]);
    direction.lsc = metrics::latent_space_closeness(codes.queries[to], codes.explanations[to]).fraction;
    direction.fd_mu = metrics::frechet_distance(generated, real[to]);
    direction.js = js(generated, real[to]);
    if (classes == 2) direction.from = static_cast<int>(i);
    if (codes.stable && classes == 2) {
      direction.fd_mu_stable = metrics::frechet_distance((*codes.stable)[i], real[i]);
      direction.js_stable = js((*codes.stable)[i], real[i]);
    }
    evaluation.directions.push_back(direction);
  }
}

void check_one_classifier(std::vector<ExplainerRun>& explainers, const Tensor& images) {
  std::vector<std::int32_t> first;
  for (ExplainerRun& explained : explainers) {
    const std::vector<std::int32_t> decided = explained.classifier.decisions(images).to_vector<std::int32_t>();
    if (&explained == &explainers.front()) first = decided;
    if (decided == first && explained.classifier.class_count() == explainers.front().classifier.class_count()) continue;
    fail("evaluate: expected explainers of one classifier; those of {} and of {} decide the images differently",
         explainers.front().run.settings->kind().name, explained.run.settings->kind().name);
  }
}

double mebibytes(std::size_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

template <typename Value>
nlohmann::ordered_json json_of(const std::optional<Value>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json json_of(const Evaluation& evaluation) {
  nlohmann::ordered_json json = {{"run", evaluation.run},
                                 {"method", evaluation.method},
                                 {"images", evaluation.images},
                                 {"acc_stable", json_of(evaluation.acc_stable)},
                                 {"acc_adversarial", evaluation.acc_adversarial},
                                 {"acc_target", json_of(evaluation.acc_target)},
                                 {"flip_rate", evaluation.flip_rate},
                                 {"distance_l1", evaluation.distance_l1},
                                 {"distance_l2", evaluation.distance_l2},
                                 {"mask_size", json_of(evaluation.mask_size)},
                                 {"mask_nonzero", json_of(evaluation.mask_nonzero)},
                                 {"embedding", nullptr},
                                 {"identity", nullptr},
                                 {"fd_mu", json_of(evaluation.fd_mu())},
                                 {"js", json_of(evaluation.js())},
                                 {"lsc", json_of(evaluation.lsc())},
                                 {"lsc_candidates", json_of(evaluation.lsc_candidates())},
                                 {"fva", json_of(evaluation.fva)},
                                 {"seconds_per_image", evaluation.seconds_per_image},
                                 {"peak_memory_mib", mebibytes(evaluation.peak_memory)},
                                 {"training", nullptr}};
  if (const std::optional<TrainingCost>& cost = evaluation.training) {
    json["training"] = {
        {"steps", cost->steps}, {"seconds", cost->seconds}, {"peak_memory_mib", mebibytes(cost->peak_memory)}};
  }
  if (!evaluation.embedding.empty()) {
    json["embedding"] = evaluation.embedding;
    json["identity"] = evaluation.identity;
  }
  for (const Evaluation::Direction& direction : evaluation.directions) {
    nlohmann::ordered_json one;
    if (direction.from) one["from"] = *direction.from;
    one.update({{"to", direction.to},
                {"images", direction.images},
                {"real_images", direction.real_images},
                {"rank_deficient", direction.rank_deficient},
                {"fd_mu", direction.fd_mu},
                {"js", json_of(direction.js)},
                {"fd_mu_stable", json_of(direction.fd_mu_stable)},
                {"js_stable", json_of(direction.js_stable)},
                {"lsc", direction.lsc}});
    json["directions"].push_back(one);
  }
  return json;
}

}  // namespace

std::optional<double> Evaluation::fd_mu() const {
  if (directions.empty()) return std::nullopt;
  double sum = 0;
  for (const Direction& direction : directions) sum += direction.fd_mu;
  return sum / static_cast<double>(directions.size());
}

std::optional<double> Evaluation::js() const {
  if (directions.empty()) return std::nullopt;
  double sum = 0;
  for (const Direction& direction : directions) {
    if (!direction.js) return std::nullopt;
    sum += *direction.js;
  }
  return sum / static_cast<double>(directions.size());
}

std::optional<double> Evaluation::lsc() const {
  double closest = 0, count = 0;
  for (const Direction& direction : directions) {
    closest += direction.lsc * static_cast<double>(direction.images);
    count += static_cast<double>(direction.images);
  }
  return count > 0 ? std::optional(closest / count) : std::nullopt;
}

std::optional<std::int64_t> Evaluation::lsc_candidates() const {
  if (directions.empty()) return std::nullopt;
  return std::ranges::min_element(directions, {}, &Direction::images)->images;
}

std::vector<Evaluation> evaluate(std::vector<ExplainerRun>& explainers, const Tensor& images,
                                 const Embeddings& embeddings) {
  check_one_classifier(explainers, images);
  std::vector<Evaluation> evaluations;
  std::vector<Codes> codes;
  std::vector<Tensor> fitted_on;
  CodesByClass real;
  Tensor queries;  // codes of the images in the identity's embedding
  for (ExplainerRun& explained : explainers) {
    explained.run.device->reset_high_water();
    const auto began = std::chrono::steady_clock::now();
    const std::map<std::string, Tensor> explanation = explain_images(explained, images);
    explained.run.device->synchronize();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began;
    const std::size_t peak = explained.run.device->memory_use().high_water;
    const Tensor decisions = explained.classifier.decisions(images);
    evaluations.push_back(evaluate_images(explained, explanation, decisions));
    evaluations.back().seconds_per_image = elapsed.count() / static_cast<double>(images.shape()[0]);
    evaluations.back().peak_memory = peak;
    if (embeddings.distributions == nullptr) continue;

    const int classes = explained.classifier.class_count();
    const std::vector<std::int32_t> decided = decisions.to_vector<std::int32_t>();
    const auto fitted_by_class = [&](const Tensor& shown, const std::vector<std::int32_t>& classes_of_rows) {
      fitted_on.push_back(metrics::embed(*embeddings.distributions, shown));
      return split_by_class(fitted_on.back(), classes_of_rows, classes);
    };
    if (codes.empty()) {
      real = fitted_by_class(images, decided);
      queries = metrics::embed(*embeddings.identity, images);
    }
    const Tensor& counterfactual = explanation.at("counterfactual");
    const Tensor explanations = metrics::embed(*embeddings.identity, counterfactual);
    evaluations.back().fva = metrics::verification_accuracy(queries, explanations);
    Codes& own = codes.emplace_back();
    if (const auto target = explanation.find("target"); target != explanation.end()) {
      const std::vector<std::int32_t> targets = target->second.to_vector<std::int32_t>();
      own.counterfactual = fitted_by_class(counterfactual, targets);
      own.queries = split_by_class(queries, targets, classes);
      own.explanations = split_by_class(explanations, targets, classes);
    }
    if (explanation.contains("stable")) own.stable = fitted_by_class(explanation.at("stable"), decided);
  }
  if (embeddings.distributions == nullptr || evaluations.empty()) return evaluations;
  const metrics::PrincipalPlane plane(concat(fitted_on, 0));
  for (std::size_t i = 0; i < evaluations.size(); ++i) measure_codes(evaluations[i], real, codes[i], plane);
  return evaluations;
}

std::string to_json(const std::vector<Evaluation>& evaluations) {
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const Evaluation& evaluation : evaluations) runs.push_back(json_of(evaluation));
  const nlohmann::ordered_json json = runs.size() == 1 ? runs.front() : nlohmann::ordered_json{{"runs", runs}};
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";  // of a folder's name
}

}  // namespace counterfoil::app
