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

/// Gulrajani et al. 2017: mean over images of (||grad_x critic(x)||_2 - target)^2 at x = real + u (fake - real), with
/// one u ~ U[0,1) per image drawn from `random`. real and fake [N,...] are taken as constants; the critic gives one
/// value per image and must not mix images (no batch norm). Differentiable with respect to the critic's parameters.
Variable gradient_penalty(const std::function<Variable(const Variable&)>& critic, const Tensor& real,
                          const Tensor& fake, Random& random, const GradientPenaltyOptions& options = {});

/// Goodfellow et al. 2014 on logits: BCE(1, real) + BCE(0, fake), and the non-saturating generator's BCE(1, fake).
Variable gan_discriminator(const Variable& real_logits, const Variable& fake_logits);
Variable gan_generator(const Variable& fake_logits);

/// Arjovsky et al. 2017: mean(fake) - mean(real), and the generator's -mean(fake).
Variable wasserstein_critic(const Variable& real, const Variable& fake);
Variable wasserstein_generator(const Variable& fake);

}  // namespace counterfoil::nn
