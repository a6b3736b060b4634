#include "bench/steps/cdeepex.h"

#include "autograd/ops.h"
#include "nn/models/cdeepex_classifier.h"
#include "nn/models/dcgan.h"
#include "nn/optimiser.h"

namespace counterfoil::bench {

namespace {

constexpr std::int64_t kRestarts = 16, kCode = 100, kTruth = 3, kProbe = 8, kClasses = 10;

class Cdeepex {
 public:
  explicit Cdeepex(Device& device)
      : random_(1, "cdeepex"),
        init_{random_, device},
        generator_(init_, kCode, {.image = {64, 64, 1}}),
        classifier_(init_, kClasses),
        z0_(random_.normal({kRestarts, kCode}, 0, 1, device)),
        z_(Variable::leaf((Variable(z0_) + random_.normal({kRestarts, kCode}, 0, 0.01, device)).value())),
        residual_(random_.uniform({kRestarts, 64, 64, 1}, 0, 0.01, device)),
        lambda_(Tensor::zeros(Shape{kRestarts, 1}, DType::f32, device)),
        mu_(Tensor::zeros(Shape{kRestarts, 2 * (kClasses - 2)}, DType::f32, device)),
        adam_(nn::adam({{"z", z_}}, {1e-2})) {}

  /// The augmented Lagrangian with c = 1, of h = s_truth - s_probe = 0 and g <= 0, g the other classes' distances.
  void step() {
    const Variable image = affine(generator_.forward(z_, nn::Pass::eval()), 0.5, 0.5);
    const Variable s = classifier_.forward(image - residual_, nn::Pass::eval());  // [restarts,classes]
    const Variable truth = slice(s, 1, kTruth, kTruth + 1), probe = slice(s, 1, kProbe, kProbe + 1);
    const Variable rest =
        concat({slice(s, 1, 0, kTruth), slice(s, 1, kTruth + 1, kProbe), slice(s, 1, kProbe + 1, kClasses)}, 1);
    const Variable h = truth - probe;
    const Variable g = concat({rest - truth, rest - probe}, 1) - 0.01;
    adam_->minimise(sum_squares(z_ - z0_) + sum(lambda_ * h) + sum_squares(h) * 0.5 +
                    (sum_squares(relu(mu_ + g)) - sum_squares(mu_)) * 0.5);
  }

 private:
  Random random_;
  nn::Init init_;
  nn::DcganGenerator generator_;
  nn::CdeepexClassifier classifier_;
  Tensor z0_;
  Variable z_;
  Variable residual_, lambda_, mu_;
  std::unique_ptr<nn::Optimiser> adam_;
};

}  // namespace

Step cdeepex_step(Device& device) {
  const auto work = std::make_shared<Cdeepex>(device);
  return [work] { work->step(); };
}

}  // namespace counterfoil::bench
