#pragma once

#include <functional>

#include "autograd/variable.h"
#include "tensor/random.h"

// Losses of adversarial training that autograd/loss.h lacks. All are scalars [1], means over the batch.

namespace counterfoil::nn {

struct GradientPenaltyOptions {
  double target = 1;       ///< the norm asked for
  double epsilon = 1e-12;  ///< under the square root: keeps the derivative finite where the gradient vanishes
  bool one_sided = false;  ///< only norms above the target are penalised
};

/// A function of images [N,...] with one value per image that does not mix images (no batch norm).
using Critic = std::function<Variable(const Variable&)>;

/// Gulrajani et al. 2017: mean over images of (sqrt(||grad_x critic(x)||_2^2 + epsilon) - target)^2, at the given x.
/// Differentiable with respect to the critic's parameters, not to x.
Variable gradient_penalty(const Critic& critic, const Tensor& x, const GradientPenaltyOptions& options = {});
/// The same at x = real + u (fake - real), with one u ~ U[0,1) per image drawn from `random`.
Variable gradient_penalty(const Critic& critic, const Tensor& real, const Tensor& fake, Random& random,
                          const GradientPenaltyOptions& options = {});

/// Goodfellow et al. 2014 on logits: BCE(1, real) + BCE(0, fake), and the non-saturating generator's BCE(1, fake).
Variable gan_discriminator(const Variable& real_logits, const Variable& fake_logits);
Variable gan_generator(const Variable& fake_logits);

/// Arjovsky et al. 2017: mean(fake) - mean(real), and the generator's -mean(fake).
Variable wasserstein_critic(const Variable& real, const Variable& fake);
Variable wasserstein_generator(const Variable& fake);

}  // namespace counterfoil::nn
