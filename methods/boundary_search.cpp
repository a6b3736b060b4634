#include "methods/boundary_search.h"

#include "autograd/ops.h"

namespace counterfoil::methods {

void BoundaryConfig::declare(nn::Keys& keys) {
  keys.add("margin", margin, 0, 1e3, "logits by which the class asked about is to be ahead; 0: on the boundary");
  keys.add("penalty", penalty, 1e-6, 1e4, "c of the augmented Lagrangian, at first");
  keys.add("penalty_growth", penalty_growth, 1, 100, "factor of c where the constraints are slow to be met");
}

Variable boundary_constraint(const Variable& log_probabilities, const Tensor& classes, const Tensor& targets,
                             double margin) {
  const std::int64_t count = log_probabilities.shape()[1];
  const Variable difference = Variable(one_hot(classes, count)) - Variable(one_hot(targets, count));
  return sum(log_probabilities * difference, {1}) + margin;
}

Variable third_class_constraints(const Variable& log_probabilities, const Tensor& classes, const Tensor& targets,
                                 double epsilon) {
  const std::int64_t count = log_probabilities.shape()[1];
  const Variable is_true(one_hot(classes, count)), is_probe(one_hot(targets, count));
  const Variable third = 1 - maximum(is_true, is_probe);  // [M,K]
  const auto ahead_of = [&](const Variable& one) {
    const Variable excess = log_probabilities - sum(log_probabilities * one, {1}) - epsilon;
    return excess * third - (1 - third);
  };
  return concat({ahead_of(is_true), ahead_of(is_probe)}, 1);
}

Found find_boundary(const LatentSearchConfig& search_config, const BoundaryConfig& config, bool third_classes,
                    nn::Classifier& classifier, const Search& search,
                    const std::function<Variable(const Variable& z)>& shown) {
  const std::int64_t rows = search.start.shape()[0];
  AugmentedLagrangian lagrangian(rows, third_classes ? 2 * classifier.class_count() : 0,
                                 {.penalty = config.penalty, .growth = config.penalty_growth}, search.start.device());
  struct Constraints {
    Variable h, g;
  };
  const auto constraints = [&](const Variable& z) {
    const Variable l = classifier.log_probabilities(shown(z));
    Constraints values{boundary_constraint(l, search.classes, search.targets, config.margin), {}};
    if (third_classes) values.g = third_class_constraints(l, search.classes, search.targets, config.epsilon);
    return values;
  };
  const auto values_at = [&](const Tensor& z) {
    const NoGrad no_grad;
    const Constraints values = constraints(z);
    return std::pair(values.h.value(), third_classes ? values.g.value() : Tensor());
  };
  Found found;
  found.path = descend(
      search.start, search_config.rounds, search_config.iterations, search_config.learning_rate,
      [&](const Variable& z) {
        const Constraints values = constraints(z);
        return squared_distance(z, search.start) + lagrangian.terms(values.h, values.g);
      },
      [&](const Tensor& z) {
        const auto [h, g] = values_at(z);
        lagrangian.update(h, g);
      });
  const auto [h, g] = values_at(found.path.back());
  found.violation = violations(h, g);
  return found;
}

}  // namespace counterfoil::methods
