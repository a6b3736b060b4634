#include "methods/xgem.h"

#include "autograd/ops.h"
#include "methods/mgen.h"

namespace counterfoil::methods {

void XgemConfig::declare(nn::Keys& keys) {
  LatentSearchConfig::declare(keys);
  keys.add("form", form, {"cross-entropy", "equality"},
           "of the search: a weighted loss, or CDeepEx's first constraint");
  keys.add("weight_classifier", weight_classifier, 0, 1e6, "lambda: of the class asked about, form cross-entropy");
  boundary.declare(keys);
}

Variable cross_entropy_cost(const Variable& x, const Variable& drawn, const Variable& log_probabilities,
                            const Tensor& targets, double weight) {
  const Variable asked(one_hot(targets, log_probabilities.shape()[1]));
  return squared_distance(drawn, x) - sum(log_probabilities * asked, {1}) * weight;
}

Found Xgem::find(const Search& search) {
  const auto seen = [&](const Variable& z) { return shown(search, z); };
  if (config_.form == "equality") return find_boundary(config_, config_.boundary, false, classifier(), search, seen);
  const auto cost = [&](const Variable& z) {
    const Variable image = seen(z);
    return cross_entropy_cost(search.x, image, classifier().log_probabilities(image), search.targets,
                              config_.weight_classifier);
  };
  Found found;
  found.path = descend(search.start, config_.rounds, config_.iterations, config_.learning_rate, cost);
  const NoGrad no_grad;
  const Variable last = classifier().log_probabilities(seen(found.path.back()));
  found.violation = relu(-class_margin(last, search.targets)).value().to_doubles();
  return found;
}

}  // namespace counterfoil::methods
