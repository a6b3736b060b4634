#include "methods/attributions/prediction_difference.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "methods/attributions/copies.h"
#include "methods/attributions/patch_normal.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace counterfoil::methods {
namespace {

/// Of one image: copies in which a window shows something else, `each` for every window.
class Samples {
 public:
  /// conditional: p(x_i | x_\i)
  Samples(const Tensor& x, const std::vector<Window>& windows, std::int64_t each, const Random& random,
          PatchNormal& patches)
      : x_(x), windows_(windows), each_(each), random_(random), image_(x.to_doubles()), patches_(&patches) {}

  /// marginal: p(x_i), from a set [B,H,W,C]
  Samples(const Tensor& x, const std::vector<Window>& windows, std::int64_t each, const Random& random,
          const Tensor& set)
      : x_(x), windows_(windows), each_(each), random_(random), set_(set) {
    for (std::size_t w = 0; w < windows_.size(); ++w) {
      std::vector<std::int32_t> chosen = random_.permutation(static_cast<std::int32_t>(set.shape()[0]));
      places_.insert(places_.end(), chosen.begin(), chosen.begin() + each_);
    }
  }

  std::int64_t count() const { return static_cast<std::int64_t>(windows_.size()) * each_; }

  /// Copies begin .. end - 1: [end - begin,H,W,C].
  Tensor images(std::int64_t begin, std::int64_t end) {
    Replaced replaced(end - begin, x_.shape());
    for (std::int64_t i = begin; i < end; ++i) replaced.mark(i - begin, window_of(i));
    return replaced.in(x_, set_.defined() ? from_set(begin, end) : drawn(begin, end));
  }

 private:
  const Window& window_of(std::int64_t copy) const { return windows_[static_cast<std::size_t>(copy / each_)]; }

  Tensor from_set(std::int64_t begin, std::int64_t end) const {
    const std::vector<std::int32_t> chosen(places_.begin() + begin, places_.begin() + end);
    return gather_rows(set_, Tensor::from(chosen, Shape{end - begin}, set_.device()));
  }

  /// Each copy has its own part of the random numbers, as many as the first window, which is whole, has features.
  Tensor drawn(std::int64_t begin, std::int64_t end) {
    const Shape shape = x_.shape().with(0, end - begin);
    const auto most = static_cast<std::uint64_t>(features(windows_.front()));
    std::vector<double> values(static_cast<std::size_t>(shape.size()), 0);
    for (std::int64_t i = begin; i < end; ++i) {
      const Window& window = window_of(i);
      random_.seek(static_cast<std::uint64_t>(i) * most);
      const std::vector<double> normals =
          random_.normal(Shape{features(window)}, 0, 1, reference_device(), DType::f64).to_doubles();
      const std::vector<double> found = patches_->draw(image_, window, normals);
      const std::int64_t length = (window.column_end - window.column) * shape[3];
      auto from = found.begin();
      for (std::int64_t row = window.row; row < window.row_end; ++row, from += length) {
        const std::int64_t first = (((i - begin) * shape[1] + row) * shape[2] + window.column) * shape[3];
        std::copy_n(from, length, values.begin() + first);
      }
    }
    return tensor_like(x_, values, shape);
  }

  static std::int64_t features(const Window& window) {
    return (window.row_end - window.row) * (window.column_end - window.column) * window.channel_end;
  }

  Tensor x_;  // [1,H,W,C]
  const std::vector<Window>& windows_;
  std::int64_t each_;
  Random random_;
  std::vector<double> image_;  // conditional
  PatchNormal* patches_ = nullptr;
  Tensor set_;  // marginal
  std::vector<std::int32_t> places_;
};

/// Of each image its probabilities of the class explained and of that it's held against: the other classes together,
/// where there is none.
class Odds {
 public:
  Odds(nn::Classifier& classifier, std::int32_t of, std::int32_t against, double training_images)
      : classifier_(classifier), of_(of), against_(against), training_images_(training_images) {}

  /// Two numbers for each image.
  std::vector<double> probabilities(const Tensor& images) const {
    const NoGrad no_grad;
    const std::vector<double> p = classifier_.probabilities(Variable(images)).value().to_doubles();  // [N,K]
    std::vector<double> both;
    const auto classes = static_cast<std::size_t>(classifier_.class_count());
    for (std::size_t row = 0; row < p.size(); row += classes) {
      both.push_back(p[row + static_cast<std::size_t>(of_)]);
      both.push_back(against_ < 0 ? 0 : p[row + static_cast<std::size_t>(against_)]);
    }
    return both;
  }

  // log2(p / (1 - p)) or log2(p / p'), p <- (p n + 1) / (n + K)
  double log2_odds(double p, double other) const {
    const auto corrected = [&](double q) {
      return (q * training_images_ + 1) / (training_images_ + classifier_.class_count());
    };
    return std::log2(corrected(p) / (against_ < 0 ? 1 - corrected(p) : corrected(other)));
  }

 private:
  nn::Classifier& classifier_;
  std::int32_t of_, against_;  // against_ -1: none
  double training_images_;
};

}  // namespace

void PredictionDifference::declare(nn::Keys& keys) {
  keys.add("window", window, 1, 64, "k: pixels, both sides of what is taken to be unknown");
  keys.add("stride", stride, 1, 64, "pixels from window to window");
  keys.add("sampler", sampler, {"conditional", "marginal"},
           "of windows: given the pixels around, or as in other images");
  keys.add("surrounding", surrounding, 1, 32, "conditional: pixels around the window, (l - k) / 2");
  keys.add("samples", samples, 1, 10000, "S: of each window");
  keys.add("training_images", training_images, 1, 1000000000, "n of Laplace's correction");
  keys.add("patches", patches, 2, 10000000, "conditional: at most, that the distribution is fitted on");
}

Attribution PredictionDifference::compute(const AttributionCall& call) const {
  const Shape& shape = call.x.shape();
  const Shape set_shape{call.baselines.shape()[1], shape[1], shape[2], shape[3]};
  const std::vector<Window> windows = windows_over(shape, window, window, stride, false, "prediction_difference");
  nn::scores(call.classifier, call.x, call.question);  // its checks of the classes
  const std::vector<std::int32_t> classes = call.question.classes.to_vector<std::int32_t>();
  const std::vector<std::int32_t> against = call.question.against.defined()
                                                ? call.question.against.to_vector<std::int32_t>()
                                                : std::vector<std::int32_t>(classes.size(), -1);
  const bool conditional = sampler == "conditional";
  const std::int64_t each = conditional ? samples : std::min(samples, set_shape[0]);
  std::vector<double> values, fitted_on;
  std::unique_ptr<PatchNormal> patch_normal;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    const Tensor image = slice(call.x, 0, n, n + 1), set = slice(call.baselines, 0, n, n + 1).reshape(set_shape);
    const Random random(call.seed, fmt::format("prediction_difference/{}", call.place(n)));
    if (conditional) {
      std::vector<double> set_values = set.to_doubles();
      if (set_values != fitted_on) {
        fitted_on = std::move(set_values);
        patch_normal =
            std::make_unique<PatchNormal>(fitted_on, set_shape, window + 2 * surrounding, patches, call.seed);
      }
    }
    Samples drawn =
        conditional ? Samples(image, windows, each, random, *patch_normal) : Samples(image, windows, each, random, set);

    const Odds odds(call.classifier, classes[static_cast<std::size_t>(n)], against[static_cast<std::size_t>(n)],
                    static_cast<double>(training_images));
    const std::vector<double> whole = odds.probabilities(image);
    // p(c | x_\i): the mean over a window's samples, eq. 3
    std::vector<double> unknown(2 * windows.size(), 0);
    const std::int64_t at_once = nn::images_at_once(shape);
    for (std::int64_t begin = 0; begin < drawn.count(); begin += at_once) {
      const std::vector<double> part =
          odds.probabilities(drawn.images(begin, std::min(begin + at_once, drawn.count())));
      for (std::size_t i = 0; i < part.size(); ++i) {
        const auto w = (static_cast<std::size_t>(begin) + i / 2) / static_cast<std::size_t>(each);
        unknown[2 * w + i % 2] += part[i] / static_cast<double>(each);
      }
    }
    // WE_i = log2 odds(p(c | x)) - log2 odds(p(c | x_\i)), eq. 4
    std::vector<double> worth;
    for (std::size_t w = 0; w < windows.size(); ++w)
      worth.push_back(odds.log2_odds(whole[0], whole[1]) - odds.log2_odds(unknown[2 * w], unknown[2 * w + 1]));
    const std::vector<double> mean = mean_over_windows(shape, windows, worth);
    values.insert(values.end(), mean.begin(), mean.end());
  }
  return {.values = tensor_like(call.x, values, shape)};
}

}  // namespace counterfoil::methods
