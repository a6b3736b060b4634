#include "app/evaluation.h"

#include <array>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "metrics/agreement.h"
#include "metrics/embedding.h"
#include "metrics/frechet_distance.h"
#include "metrics/jensen_shannon.h"
#include "tensor/ops.h"

namespace counterfoil::app {

namespace {

/// Codes of one kind of image, apart by the decision on their query.
using CodesByDecision = std::array<Tensor, 2>;

CodesByDecision split_by_decision(const Tensor& codes, const std::vector<std::int32_t>& decisions) {
  CodesByDecision parts;
  for (int decision = 0; decision < 2; ++decision) {
    std::vector<std::int32_t> positions;
    for (std::size_t i = 0; i < decisions.size(); ++i) {
      if (decisions[i] == decision) positions.push_back(static_cast<std::int32_t>(i));
    }
    if (positions.size() < 3)
      fail("evaluate: {} test images are decided {}, expected 3 or more", positions.size(), decision);
    const Tensor index = Tensor::from(positions, {static_cast<std::int64_t>(positions.size())}, codes.device());
    parts[static_cast<std::size_t>(decision)] = gather_rows(codes, index);
  }
  return parts;
}

struct Codes {
  CodesByDecision counterfactual;
  std::optional<CodesByDecision> stable;
};

Evaluation evaluate_images(ExplainerRun& explained, const std::map<std::string, Tensor>& explanation,
                           const Tensor& decisions) {
  Evaluation evaluation;
  evaluation.method = explained.run.settings->kind().name;
  evaluation.images = decisions.size();
  const Tensor& counterfactual = explanation.at("counterfactual");
  evaluation.acc_adversarial = metrics::agreement(decisions, explained.classifier.decisions(counterfactual));
  if (const auto stable = explanation.find("stable"); stable != explanation.end()) {
    evaluation.acc_stable = metrics::agreement(decisions, explained.classifier.decisions(stable->second));
  }
  const metrics::QueryDistance distance = metrics::query_distance(counterfactual, explanation.at("input"));
  evaluation.distance_l1 = distance.l1;
  evaluation.distance_l2 = distance.l2;
  return evaluation;
}

void measure_codes(Evaluation& evaluation, const CodesByDecision& real, const Codes& codes,
                   const metrics::PrincipalPlane& plane) {
  const auto js = [&](const Tensor& a, const Tensor& b) -> std::optional<double> {
    try {
      return metrics::jensen_shannon_distance(plane.project(a), plane.project(b));
    } catch (const Error& error) {
      fmt::print(stderr, "js is not defined here: {}\n", error.what());
      return std::nullopt;
    }
  };
  for (std::size_t source = 0; source < 2; ++source) {
    const Tensor& generated = codes.counterfactual[source];
    const Tensor& target = real[1 - source];
    Evaluation::Direction direction;
    direction.images = generated.shape()[0];
    direction.fd_mu = metrics::frechet_distance(generated, target);
    direction.js = js(generated, target);
    if (codes.stable) {
      direction.fd_mu_stable = metrics::frechet_distance((*codes.stable)[source], real[source]);
      direction.js_stable = js((*codes.stable)[source], real[source]);
    }
    evaluation.directions.push_back(direction);
  }
}

nlohmann::ordered_json json_of(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json json_of(const Evaluation& evaluation) {
  nlohmann::ordered_json json = {{"run", evaluation.run},
                                 {"method", evaluation.method},
                                 {"images", evaluation.images},
                                 {"acc_stable", json_of(evaluation.acc_stable)},
                                 {"acc_adversarial", evaluation.acc_adversarial},
                                 {"distance_l1", evaluation.distance_l1},
                                 {"distance_l2", evaluation.distance_l2},
                                 {"fd_mu", nullptr},
                                 {"js", nullptr}};
  if (evaluation.directions.empty()) return json;
  json["fd_mu"] = (evaluation.directions[0].fd_mu + evaluation.directions[1].fd_mu) / 2;
  const std::optional<double> forth = evaluation.directions[0].js, back = evaluation.directions[1].js;
  if (forth && back) json["js"] = (*forth + *back) / 2;
  for (std::size_t source = 0; source < 2; ++source) {
    const Evaluation::Direction& direction = evaluation.directions[source];
    json["directions"].push_back({{"from", source},
                                  {"to", 1 - source},
                                  {"images", direction.images},
                                  {"fd_mu", direction.fd_mu},
                                  {"js", json_of(direction.js)},
                                  {"fd_mu_stable", json_of(direction.fd_mu_stable)},
                                  {"js_stable", json_of(direction.js_stable)}});
  }
  return json;
}

}  // namespace

std::vector<Evaluation> evaluate(std::vector<ExplainerRun>& explainers, const Tensor& images,
                                 nn::VaeEmbedding* embedding) {
  std::vector<Evaluation> evaluations;
  std::vector<Codes> codes;
  std::vector<Tensor> fitted_on;
  CodesByDecision real;
  for (ExplainerRun& explained : explainers) {
    if (explained.classifier.class_count() != 2) {
      fail("evaluate: expected a classifier of 2 classes, found {}", explained.classifier.class_count());
    }
    const std::map<std::string, Tensor> explanation = explain_images(explained, images);
    const Tensor decisions = explained.classifier.decisions(images);
    evaluations.push_back(evaluate_images(explained, explanation, decisions));
    if (embedding == nullptr) continue;

    const std::vector<std::int32_t> decided = decisions.to_vector<std::int32_t>();
    const auto codes_of = [&](const Tensor& shown) {
      fitted_on.push_back(metrics::embed(*embedding, shown));
      return split_by_decision(fitted_on.back(), decided);
    };
    if (codes.empty()) real = codes_of(images);
    Codes& own = codes.emplace_back();
    own.counterfactual = codes_of(explanation.at("counterfactual"));
    if (explanation.contains("stable")) own.stable = codes_of(explanation.at("stable"));
  }
  if (embedding == nullptr || evaluations.empty()) return evaluations;
  const metrics::PrincipalPlane plane(concat(fitted_on, 0));
  for (std::size_t i = 0; i < evaluations.size(); ++i) measure_codes(evaluations[i], real, codes[i], plane);
  return evaluations;
}

std::string to_json(const std::vector<Evaluation>& evaluations) {
  if (evaluations.size() == 1) return json_of(evaluations.front()).dump(2) + "\n";
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const Evaluation& evaluation : evaluations) runs.push_back(json_of(evaluation));
  return nlohmann::ordered_json{{"runs", runs}}.dump(2) + "\n";
}

}  // namespace counterfoil::app
