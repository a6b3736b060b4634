#pragma once

#include "autograd/variable.h"
#include "tensor/ops.h"

// Losses fused with their reduction. All return the mean over every element, shape [1] (so a weight in front of one
// means the same for every image size), unless the comment says otherwise.

namespace counterfoil {

Variable bce_with_logits(const Variable& logits, const Variable& targets);  ///< no gradient to the targets
/// Against one constant target for every element.
Variable bce_with_logits(const Variable& logits, double target);
Variable l1_loss(const Variable& a, const Variable& b);  ///< gradient to both
Variable l2_loss(const Variable& a, const Variable& b);  ///< mean of (a - b)^2; gradient to both
/// mean over rows of -log softmax(logits [rows, classes])[label]; labels i32 [rows].
Variable cross_entropy(const Variable& logits, const Tensor& labels);
Variable cross_entropy_per_row(const Variable& logits, const Tensor& labels);  ///< [rows]
/// Hinge losses of a critic: mean(max(0, 1 - real)) + mean(max(0, 1 + fake)), and the generator's -mean(fake).
Variable hinge_discriminator(const Variable& real_logits, const Variable& fake_logits);
Variable hinge_generator(const Variable& fake_logits);
/// Kullback-Leibler divergence of N(mean, exp(log_variance)) from N(0, 1), summed over dimensions [N,D], mean over N.
Variable gaussian_kl(const Variable& mean, const Variable& log_variance);
/// KL(p || q) of probability rows, mean over rows; epsilon inside both logarithms; gradient to both.
Variable categorical_kl(const Variable& p, const Variable& q, double epsilon = 1e-8);
/// Mean over images of the sum over pixels of |dx|^beta + |dy|^beta; beta 1 or 2 are differentiable twice.
Variable total_variation(const Variable& x, double beta);

}  // namespace counterfoil
