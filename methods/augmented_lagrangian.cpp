#include "methods/augmented_lagrangian.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"

namespace counterfoil::methods {

AugmentedLagrangian::AugmentedLagrangian(std::int64_t problems, std::int64_t inequalities, const Options& options,
                                         Device& device)
    : options_(options),
      lambda_(Tensor::zeros(Shape{problems, 1}, DType::f32, device)),
      penalty_(Tensor::full(Shape{problems, 1}, options.penalty, DType::f32, device)) {
  if (inequalities > 0) mu_ = Tensor::zeros(Shape{problems, inequalities}, DType::f32, device);
}

Variable AugmentedLagrangian::terms(const Variable& h, const Variable& g) const {
  const Variable c(penalty_);
  const Variable equality = h * Variable(lambda_) + square(h) * c * 0.5;
  if (!mu_.defined()) return equality;
  const Variable mu(mu_);
  return equality + sum(square(relu(mu + g * c)) - square(mu), {1}) / c * 0.5;
}

void AugmentedLagrangian::update(const Tensor& h, const Tensor& g) {
  const NoGrad no_grad;
  const Variable c(penalty_);
  std::vector<double> violation = violations(h, {});
  lambda_ = (Variable(lambda_) + Variable(h) * c).value();
  if (mu_.defined()) {
    // An inequality with a multiplier is to be met with equality: max(g, -mu / c) is how far it is from that.
    const std::vector<double> unmet = max(abs(maximum(Variable(g), -Variable(mu_) / c)), {1}).value().to_doubles();
    for (std::size_t i = 0; i < unmet.size(); ++i) violation[i] = std::max(violation[i], unmet[i]);
    mu_ = relu(Variable(mu_) + Variable(g) * c).value();
  }
  std::vector<float> penalties = penalty_.to_vector<float>();
  for (std::size_t i = 0; i < violation_.size(); ++i) {
    if (violation[i] <= options_.progress * violation_[i]) continue;
    penalties[i] = static_cast<float>(std::min(penalties[i] * options_.growth, options_.penalty_limit));
  }
  penalty_ = Tensor::from(penalties, penalty_.shape(), penalty_.device());
  violation_ = std::move(violation);
}

std::vector<double> violations(const Tensor& h, const Tensor& g) {
  std::vector<double> worst = h.to_doubles();
  for (double& value : worst) value = std::abs(value);
  if (!g.defined()) return worst;
  const std::vector<double> largest = reduce(ReduceOp::max, g, {1}).to_doubles();
  for (std::size_t i = 0; i < worst.size(); ++i) worst[i] = std::max(worst[i], largest[i]);
  return worst;
}

}  // namespace counterfoil::methods
