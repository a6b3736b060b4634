#include "nn/losses.h"

#include "autograd/loss.h"
#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "autograd/shaping.h"
#include "tensor/ops.h"

namespace counterfoil::nn {

Variable gradient_penalty(const Critic& critic, const Tensor& x, const GradientPenaltyOptions& options) {
  const Variable at = Variable::leaf(x);
  const Variable slope = grad({sum(critic(at))}, {at}, {.create_graph = true}).front();
  const Variable excess = norm_per_image(slope, options.epsilon) - options.target;  // [N,1,...]
  return reshape(mean(square(options.one_sided ? relu(excess) : excess)), {1});
}

Variable gradient_penalty(const Critic& critic, const Tensor& real, const Tensor& fake, Random& random,
                          const GradientPenaltyOptions& options) {
  if (!(real.shape() == fake.shape()) || real.shape().rank() == 0) {
    fail("gradient_penalty: expected two batches of one shape, found {} and {}", real.shape().to_string(),
         fake.shape().to_string());
  }
  Shape per_image = real.shape();
  for (int axis = 1; axis < per_image.rank(); ++axis) per_image = per_image.with(axis, 1);
  const Tensor u = random.uniform(per_image, 0, 1, real.device(), real.dtype());
  const Tensor difference = axpby(1, fake, -1, real);
  return gradient_penalty(critic, binary(BinaryOp::add, real, binary(BinaryOp::multiply, difference, u)), options);
}

Variable gan_discriminator(const Variable& real_logits, const Variable& fake_logits) {
  return bce_with_logits(real_logits, 1) + bce_with_logits(fake_logits, 0);
}

Variable gan_generator(const Variable& fake_logits) {
  return bce_with_logits(fake_logits, 1);
}

Variable wasserstein_critic(const Variable& real, const Variable& fake) {
  return reshape(mean(fake), {1}) - reshape(mean(real), {1});
}

Variable wasserstein_generator(const Variable& fake) {
  return -reshape(mean(fake), {1});
}

}  // namespace counterfoil::nn
