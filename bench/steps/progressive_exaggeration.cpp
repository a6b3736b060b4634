#include "bench/steps/progressive_exaggeration.h"

#include <array>

#include "autograd/ops.h"
#include "nn/conv2d.h"
#include "nn/linear.h"
#include "nn/models/pe_resnet.h"
#include "nn/optimiser.h"

namespace counterfoil::bench {

namespace {

constexpr std::int64_t kBatch = 16, kSide = 64, kBins = 10;

nn::PeResnetOptions options() {
  nn::PeResnetOptions options;
  options.image = {kSide, kSide, 3};
  options.widths = {32, 64, 128, 256, 512};
  options.bins = kBins;
  return options;
}

/// A classifier of moderate cost: three strided convolutions, global average, one logit.
class StandIn : public nn::Module {
 public:
  explicit StandIn(const nn::Init& init)
      : convs_{conv(init, 3, 32), conv(init, 32, 64), conv(init, 64, 128)}, logit_(init, 128, 1) {}
  Variable logits(Variable h) {
    for (const auto& conv : convs_) h = conv->forward(h, nn::Pass::eval());
    return logit_.forward(global_avg_pool(h), nn::Pass::eval());
  }

 private:
  static std::unique_ptr<nn::Conv2d> conv(const nn::Init& init, std::int64_t in, std::int64_t out) {
    nn::Conv2dOptions options;
    options.geometry = Conv2dGeometry::square(2, 1);
    options.activation = Activation::relu;
    return std::make_unique<nn::Conv2d>(init, in, out, 3, options);
  }
  std::array<std::unique_ptr<nn::Conv2d>, 3> convs_;
  nn::Linear logit_;
};

class ProgressiveExaggeration {
 public:
  explicit ProgressiveExaggeration(Device& device)
      : random_(1, "pe64"),
        init_{random_, device},
        encoder_(init_, options()),
        generator_(init_, options()),
        discriminator_(init_, options()),
        classifier_(init_),
        x_(random_.uniform({kBatch, kSide, kSide, 3}, -1, 1, device)),
        own_(draw_bins(device)),
        target_(draw_bins(device)) {
    const AdamStep adam{2e-4, 0, 0.9};
    nn::NamedParameters parameters = encoder_.named_parameters("encoder.");
    for (auto& parameter : generator_.named_parameters("generator.")) parameters.push_back(parameter);
    generator_adam_ = nn::adam(parameters, adam);
    discriminator_adam_ = nn::adam(discriminator_.named_parameters(), adam);
    std::vector<float> middles;
    for (const std::int32_t bin : target_.to_vector<std::int32_t>()) {
      middles.push_back((static_cast<float>(bin) + 0.5F) / static_cast<float>(kBins));
    }
    asked_ = Tensor::from(middles, {kBatch, 1}, device);
  }

  void step() {
    Tensor fake;
    {
      const NoGrad no_grad;
      fake = generate(x_, target_).value();
    }
    const std::vector<Tensor> images = {x_, fake};
    const Variable both = discriminator_.forward(concat(images, 0), joined_bins(), pass_);
    discriminator_adam_->minimise(hinge_discriminator(slice(both, 0, 0, kBatch), slice(both, 0, kBatch, 2 * kBatch)));

    const Variable drawn = generate(x_, target_);
    const Variable loss = hinge_generator(discriminator_.forward(drawn, target_, pass_)) +
                          divergence(classifier_.logits(affine(drawn, 0.5, 0.5))) +
                          100 * l1_loss(generate(x_, own_), x_) + 100 * l1_loss(generate(drawn, own_), x_);
    generator_adam_->minimise(loss);
  }

 private:
  Tensor draw_bins(Device& device) {
    std::vector<std::int32_t> bins(kBatch);
    for (std::int32_t& bin : bins) bin = static_cast<std::int32_t>(random_.integer(kBins));
    return Tensor::from(bins, {kBatch}, device);
  }
  Tensor joined_bins() const {
    const std::vector<Tensor> bins = {own_, target_};
    return concat(bins, 0);
  }
  Variable generate(const Variable& x, const Tensor& bins) {
    return generator_.forward(encoder_.forward(x, bins, pass_), bins, pass_);
  }
  /// KL of Bernoulli(the asked bin's middle) from Bernoulli(f), 1e-8 in the logarithms.
  Variable divergence(const Variable& logits) const {
    constexpr double kEpsilon = 1e-8;
    const Variable p = asked_, q = sigmoid(logits);
    return mean(p * log((p + kEpsilon) / (q + kEpsilon)) + (1 - p) * log((1 - p + kEpsilon) / (1 - q + kEpsilon)));
  }

  Random random_;
  nn::Init init_;
  nn::PeEncoder encoder_;
  nn::PeGenerator generator_;
  nn::PeDiscriminator discriminator_;
  StandIn classifier_;
  Tensor x_, own_, target_, asked_;
  nn::Pass pass_ = nn::Pass::train(random_);
  std::unique_ptr<nn::Optimiser> generator_adam_, discriminator_adam_;
};

}  // namespace

Step pe64_step(Device& device) {
  const auto work = std::make_shared<ProgressiveExaggeration>(device);
  return [work] { work->step(); };
}

}  // namespace counterfoil::bench
