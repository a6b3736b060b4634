#include "methods/latent_search.h"

#include <algorithm>
#include <utility>

#include "autograd/ops.h"
#include "kernels/span.h"

namespace counterfoil::methods {

namespace {

using Indices = std::vector<std::int32_t>;

Tensor index_tensor(const Indices& indices, Device& device) {
  return Tensor::from(indices, Shape{std::ssize(indices)}, device);
}

Tensor rows_of(const Tensor& table, const Indices& indices) {
  return gather_rows(table, index_tensor(indices, table.device()));
}

Tensor classes_of(const Tensor& classes, const Indices& indices) {
  const Indices values = classes.to_vector<std::int32_t>();
  Indices chosen;
  for (const std::int32_t index : indices) chosen.push_back(values[static_cast<std::size_t>(index)]);
  return index_tensor(chosen, classes.device());
}

/// 0, 0, 0, 1, 1, 1, ...
Indices repeat_each(std::int64_t count, std::int64_t times) {
  Indices indices;
  for (std::int64_t i = 0; i < count * times; ++i) indices.push_back(static_cast<std::int32_t>(i / times));
  return indices;
}

/// [rows * group,...] -> [rows,group,...]
Tensor grouped(const Tensor& x, std::int64_t rows, std::int64_t group) {
  std::vector<std::int64_t> extents = {rows, group};
  extents.insert(extents.end(), x.shape().extents().begin() + 1, x.shape().extents().end());
  return x.reshape(Shape(extents));
}

/// Frames [N,...] in order of time as [N,frames,...].
Tensor in_time(const std::vector<Tensor>& frames) {
  const std::int64_t count = std::ssize(frames), rows = frames.front().shape()[0];
  Indices order;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t frame = 0; frame < count; ++frame) order.push_back(static_cast<std::int32_t>(frame * rows + i));
  }
  return grouped(rows_of(concat(frames, 0), order), rows, count);
}

}  // namespace

void LatentSearchConfig::declare(nn::Keys& keys) {
  latent.declare(keys);
  keys.add("restarts", restarts, 1, 1000, "starts of each query");
  keys.add("fit_iterations", fit_iterations, 0, 100000, "of the search for the query's own code, procedure 2");
  keys.add("fit_learning_rate", fit_learning_rate, 0, 10, "of Adam in procedure 2");
  keys.add("weight_misclassification", weight_misclassification, 0, 1e6, "of the query's class in procedure 2");
  keys.add("complete", complete, "add what the latent model cannot draw of the query");
  keys.add("rounds", rounds, 1, 10000, "of the search; the path has a frame after each");
  keys.add("iterations", iterations, 1, 100000, "steps of Adam in a round");
  keys.add("learning_rate", learning_rate, 0, 10, "of Adam on the code, at the start");
  keys.add("tolerance", tolerance, 0, 1e6, "logits by which a restart may miss what is asked and still count as there");
}

std::vector<Tensor> descend(const Tensor& start, std::int64_t rounds, std::int64_t iterations, double learning_rate,
                            const std::function<Variable(const Variable& z)>& loss,
                            const std::function<void(const Tensor& z)>& after_round) {
  std::vector<Tensor> path = {start};
  Variable z = Variable::leaf(start.clone());
  const auto optimiser = nn::adam({{"z", z}}, {learning_rate});
  for (std::int64_t round = 0; round < rounds; ++round) {
    const double part = rounds == 1 ? 0 : static_cast<double>(round) / static_cast<double>(rounds - 1);
    optimiser->set_learning_rate(learning_rate * (1 - 0.9 * part));
    for (std::int64_t i = 0; i < iterations; ++i) optimiser->minimise(reshape(sum(loss(z)), {1}));
    path.push_back(z.value().clone());
    if (after_round) after_round(path.back());
  }
  return path;
}

std::vector<std::int32_t> best_restarts(const std::vector<double>& violation, const std::vector<double>& misfit,
                                        std::int64_t restarts, double tolerance) {
  const auto rank = [&](std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    const bool missed = violation[i] > tolerance;
    return std::pair(missed, missed ? violation[i] : misfit[i]);
  };
  Indices best;
  for (std::int64_t first = 0; first < std::ssize(violation); first += restarts) {
    std::int64_t row = first;
    for (std::int64_t other = first + 1; other < first + restarts; ++other) {
      if (rank(other) < rank(row)) row = other;
    }
    best.push_back(static_cast<std::int32_t>(row));
  }
  return best;
}

Variable squared_distance(const Variable& a, const Variable& b) {
  return sum(square(flatten(a) - flatten(b)), {1});
}

Tensor difference_picture(const Tensor& x, const Tensor& difference) {
  const NoGrad no_grad;
  const Variable change = mean(Variable(difference), {3});           // [N,H,W,1]
  const Variable grey = mean(Variable(x), {3}) * (1 - abs(change));  // [N,H,W,1]
  return concat({grey + relu(change), grey, grey + relu(-change)}, 3).value();
}

LatentExplainer::LatentExplainer(const LatentSearchConfig& config, nn::Classifier& classifier,
                                 const data::Dataset& train, std::uint64_t seed, Device& device)
    : TargetedExplainer(classifier), config_(config), seed_(seed), latent_(config.latent, train, seed, device) {
  if (config.fit_iterations == 0 && !latent_.encodes()) {
    fail("fit_iterations: expected at least 1, found 0: latent {} has no encoder", config.latent.latent);
  }
  latent_.remember_in(state_);
}

nn::DeviceTerms LatentExplainer::compute(const std::vector<Tensor>& batches) {
  nn::DeviceTerms terms = latent_.compute(batches);
  drawn_ = {{"G", latent_.drawn()}};
  return terms;
}

Variable LatentExplainer::shown(const Search& search, const Variable& z) {
  const Variable drawn = latent_.generate(z);
  return config_.complete ? clip(drawn - Variable(search.residual), 0, 1) : drawn;
}

// z_0 ~ N(0, 1), the same for every query; an encoder's code is the first restart's.
Tensor LatentExplainer::starts(const Tensor& x) {
  const std::int64_t queries = x.shape()[0], restarts = config_.restarts;
  Random random(seed_, "starts");
  const Tensor drawn = random.normal(Shape{restarts, config_.latent.code}, 0, 1, x.device());
  Tensor table = drawn;
  Indices rows;
  if (latent_.encodes()) table = concat(std::vector<Tensor>{drawn, latent_.encode(x)}, 0);
  for (std::int64_t row = 0; row < queries * restarts; ++row) {
    const bool encoded = latent_.encodes() && row % restarts == 0;
    rows.push_back(static_cast<std::int32_t>(encoded ? restarts + row / restarts : row % restarts));
  }
  return rows_of(table, rows);
}

// Eq. 1 and procedure 2: z_0 = argmin ||G(z) - I||^2 - weight log p_{y_true}(G(z))
Tensor LatentExplainer::fit(const Search& search) {
  if (config_.fit_iterations == 0) return search.start;
  const Span span(search.start.device(), "fit");
  const Variable own(one_hot(search.classes, classifier().class_count()));
  return descend(search.start, 1, config_.fit_iterations, config_.fit_learning_rate,
                 [&](const Variable& z) {
                   const Variable drawn = latent_.generate(z);
                   const Variable distance = squared_distance(drawn, search.x);
                   if (config_.weight_misclassification == 0) return distance;
                   return distance -
                          sum(classifier().log_probabilities(drawn) * own, {1}) * config_.weight_misclassification;
                 })
      .back();
}

Search LatentExplainer::begin(const Tensor& x, const Tensor& targets) {
  const Indices rows = repeat_each(x.shape()[0], config_.restarts);
  Search search{
      rows_of(x, rows), classes_of(classifier().decisions(x), rows), classes_of(targets, rows), starts(x), {}};
  search.start = fit(search);
  const NoGrad no_grad;
  search.residual = (latent_.generate(search.start) - Variable(search.x)).value();
  return search;
}

Explanation LatentExplainer::explain_towards(const Tensor& x, const Tensor& targets) {
  const std::int64_t queries = x.shape()[0];
  const Search search = begin(x, targets);
  const Found found = [&] {
    const Span span(x.device(), "search");
    return find(search);
  }();
  const NoGrad no_grad;
  const std::vector<double> misfit = sum(square(flatten(search.residual)), {1}).value().to_doubles();
  const Indices best = best_restarts(found.violation, misfit, config_.restarts, config_.tolerance);
  const Search chosen{rows_of(search.x, best), {}, {}, rows_of(search.start, best), rows_of(search.residual, best)};

  std::vector<Tensor> images, probabilities;
  for (const Tensor& codes : found.path) {
    images.push_back(shown(chosen, rows_of(codes, best)).value());
    probabilities.push_back(classifier().probabilities(images.back()).value());
  }
  const Tensor first = latent_.generate(chosen.start).value();
  const Tensor last = latent_.generate(rows_of(found.path.back(), best)).value();
  std::vector<float> violation;
  for (const std::int32_t row : best)
    violation.push_back(static_cast<float>(found.violation[static_cast<std::size_t>(row)]));
  const Tensor difference = axpby(1, last, -1, first);
  return {{"counterfactual", images.back()},
          {"reconstruction", first},
          {"generated", last},
          {"difference", difference},
          {"map", difference_map(last, first)},
          {"picture", difference_picture(x, difference)},
          {"path", in_time(images)},
          {"path_probabilities", in_time(probabilities)},
          {"restarts", grouped(shown(search, found.path.back()).value(), queries, config_.restarts)},
          {"violation", Tensor::from(violation, Shape{queries, 1}, x.device())}};
}

}  // namespace counterfoil::methods
