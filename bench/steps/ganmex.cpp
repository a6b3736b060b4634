#include "bench/steps/ganmex.h"

#include "autograd/ops.h"
#include "nn/losses.h"
#include "nn/models/ganmex_classifier.h"
#include "nn/models/stargan.h"
#include "nn/optimiser.h"

namespace counterfoil::bench {

namespace {

constexpr std::int64_t kBatch = 16, kClasses = 10;

class Ganmex {
 public:
  Ganmex(const nn::ImageShape& image, Device& device)
      : random_(1, "ganmex"),
        init_{random_, device},
        generator_(init_, {.image = image, .classes = kClasses}),
        critic_(init_, {.image = image, .classes = kClasses}),
        classifier_(init_, {.image = image, .outputs = kClasses}),
        generator_adam_(nn::adam(generator_.named_parameters(), {2e-5})),
        critic_adam_(nn::adam(critic_.named_parameters(), {1e-4})),
        x_(random_.uniform({kBatch, image.height, image.width, image.channels}, -1, 1, device)),
        own_(draw_classes(device)),
        target_(draw_classes(device)) {}

  void step() {
    Tensor fake;
    {
      const NoGrad no_grad;
      fake = generator_.forward(x_, target_, pass_).value();
    }
    const nn::Critic critic = [&](const Variable& x) { return critic_.forward(x, pass_); };
    critic_adam_->minimise(nn::wasserstein_critic(critic(x_), critic(fake)) +
                           10 * nn::gradient_penalty(critic, x_, fake, random_));

    const Variable drawn = generator_.forward(x_, target_, pass_);
    const Variable logits = classifier_.forward(affine(drawn, 0.5, 0.5), nn::Pass::eval());
    generator_adam_->minimise(cross_entropy(logits, target_) + nn::wasserstein_generator(critic(drawn)) +
                              10 * l1_loss(generator_.forward(drawn, own_, pass_), x_) + 10 * l1_loss(drawn, x_));
  }

 private:
  Tensor draw_classes(Device& device) {
    std::vector<std::int32_t> classes(kBatch);
    for (std::int32_t& label : classes) label = static_cast<std::int32_t>(random_.integer(kClasses));
    return Tensor::from(classes, {kBatch}, device);
  }

  Random random_;
  nn::Init init_;
  nn::StarganGenerator generator_;
  nn::StarganCritic critic_;
  nn::GanmexClassifier classifier_;
  std::unique_ptr<nn::Optimiser> generator_adam_, critic_adam_;
  Tensor x_, own_, target_;
  nn::Pass pass_ = nn::Pass::train(random_);
};

}  // namespace

Step ganmex_step(const nn::ImageShape& image, Device& device) {
  const auto work = std::make_shared<Ganmex>(image, device);
  return [work] { work->step(); };
}

}  // namespace counterfoil::bench
