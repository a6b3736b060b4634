#include "methods/bbmp.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "kernels/span.h"

namespace counterfoil::methods {

namespace {

/// theta [N,2,3] for affine_warp: every image moved by whole pixels.
Tensor shift_by(std::int64_t columns, std::int64_t rows, const Shape& images, Device& device) {
  const auto x = static_cast<float>(2.0 * static_cast<double>(columns) / static_cast<double>(images[2]));
  const auto y = static_cast<float>(2.0 * static_cast<double>(rows) / static_cast<double>(images[1]));
  std::vector<float> theta;
  for (std::int64_t i = 0; i < images[0]; ++i) theta.insert(theta.end(), {1, 0, x, 0, 1, y});
  return Tensor::from(theta, Shape{images[0], 2, 3}, device);
}

}  // namespace

void BbmpConfig::declare(nn::Keys& keys) {
  keys.add("iterations", iterations, 1, 100000, "of the optimisation of an image's mask");
  keys.add("learning_rate", learning_rate, 0, 10, "of Adam");
  keys.add("weight_area", weight_area, 0, 1e6, "lambda_1: of mean |1 - m|");
  keys.add("weight_smoothness", weight_smoothness, 0, 1e6, "lambda_2: of sum |grad m|^beta");
  keys.add("smoothness_power", smoothness_power, 1, 10, "beta");
  keys.add("mask_divisor", mask_divisor, 1, 64, "extent of the images over that of the mask");
  keys.add("mask_sigma", mask_sigma, 0, 100, "pixels: deviation of the filter on the upsampled mask; 0: none");
  keys.add("blur_sigma", blur_sigma, 0.1, 100, "pixels: deviation of the blur that deletes");
  keys.add("jitter", jitter, 0, 64, "pixels: range of the perturbed image's shifts");
}

Bbmp::Bbmp(const BbmpConfig& config, nn::Classifier& classifier, const data::Dataset& /*train*/, std::uint64_t seed,
           Device& device)
    : config_(config),
      classifier_(classifier),
      seed_(seed),
      blur_taps_(gaussian_taps(config.blur_sigma, DType::f32, device)) {
  if (config.mask_sigma > 0) mask_taps_ = gaussian_taps(config.mask_sigma, DType::f32, device);
}

std::vector<Tensor> Bbmp::draw() {
  fail("bbmp: nothing is trained, each image is optimised when it is explained; expected 0 steps");
}

nn::DeviceTerms Bbmp::compute(const std::vector<Tensor>& /*batch*/) {
  return {};
}

// Phi(x_0, m) = m x_0 + (1 - m) blur(x_0)
Variable Bbmp::blend(const Tensor& x, const Tensor& blurred, const Variable& mask) const {
  return Variable(blurred) + upsampled(mask, x.shape()) * (Variable(x) - Variable(blurred));
}

Variable Bbmp::upsampled(const Variable& mask, const Shape& images) const {
  const Variable full = resize(mask, images[1], images[2], ResizeMode::bilinear);
  return config_.mask_sigma == 0 ? full : gaussian_blur(full, mask_taps_);
}

Variable Bbmp::score(const Variable& x, const Tensor& classes) {
  return sum(classifier_.probabilities(x) * Variable(one_hot(classes, classifier_.class_count())), {1});
}

Tensor Bbmp::first_mask(const Tensor& x, const Tensor& blurred, const Tensor& classes) {
  const NoGrad no_grad;
  constexpr int kRadii = 16;
  const std::int64_t n = x.shape()[0];
  const std::int64_t rows = (x.shape()[1] + config_.mask_divisor - 1) / config_.mask_divisor;
  const std::int64_t columns = (x.shape()[2] + config_.mask_divisor - 1) / config_.mask_divisor;
  const auto cells = static_cast<std::size_t>(rows * columns);
  const std::vector<double> whole = score(x, classes).value().to_doubles();
  const std::vector<double> nothing = score(blurred, classes).value().to_doubles();

  std::vector<float> masks(static_cast<std::size_t>(n) * cells, 0.0F);
  std::vector<bool> found(static_cast<std::size_t>(n), false);
  for (int k = 1; k <= kRadii; ++k) {
    const double radius = std::hypot(rows, columns) / 2 * k / kRadii;
    std::vector<float> disc(cells);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        const double distance =
            std::hypot(static_cast<double>(2 * r + 1 - rows) / 2.0, static_cast<double>(2 * c + 1 - columns) / 2.0);
        disc[static_cast<std::size_t>(r * columns + c)] = distance < radius ? 0.0F : 1.0F;
      }
    }
    const Variable one(Tensor::from(disc, Shape{1, rows, columns, 1}, x.device()));
    const Variable all = broadcast_to(one, Shape{n, rows, columns, 1});
    const std::vector<double> scores = score(blend(x, blurred, all), classes).value().to_doubles();
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (found[i] || scores[i] > nothing[i] + 0.01 * (whole[i] - nothing[i])) continue;
      found[i] = true;
      std::ranges::copy(disc, masks.begin() + static_cast<std::ptrdiff_t>(i * cells));
    }
  }
  return Tensor::from(masks, Shape{n, rows, columns, 1}, x.device());
}

Explanation Bbmp::explain(const Tensor& x) {
  const double images = static_cast<double>(x.shape()[0]);
  const Tensor classes = classifier_.decisions(x);
  const Tensor blurred = gaussian_blur(x, blur_taps_).value();
  Variable mask = Variable::leaf(first_mask(x, blurred, classes));
  const auto optimiser = nn::adam({{"mask", mask}}, {config_.learning_rate});
  Random jitter(seed_, "jitter");
  const auto draw_shift = [&] {
    return static_cast<std::int64_t>(jitter.integer(static_cast<std::uint64_t>(config_.jitter) + 1)) -
           config_.jitter / 2;
  };

  for (std::int64_t i = 0; i < config_.iterations; ++i) {
    const Span span(x.device(), "mask");
    const std::int64_t columns = draw_shift(), rows = draw_shift();
    const Variable perturbed = blend(x, blurred, mask);  // [N,H,W,C]
    const Variable moved =
        affine_warp(perturbed, shift_by(columns, rows, x.shape(), x.device()), x.shape()[1], x.shape()[2]);
    // lambda_1 mean |1 - m| + lambda_2 sum |grad m|^beta + E_tau f_c(Phi(x_0(. - tau), m)), summed over the images
    const Variable area = mean(abs(1 - mask)) * images, faded = sum(score(moved, classes));
    const Variable rough = total_variation(mask, config_.smoothness_power) * images;
    optimiser->minimise(reshape(area, {1}) * config_.weight_area + rough * config_.weight_smoothness +
                        reshape(faded, {1}));
    mask.set_value(unary(UnaryOp::clip, mask.value(), 0, 1));
  }
  const NoGrad no_grad;
  const Tensor deleted = (1 - upsampled(mask, x.shape())).value();  // [N,H,W,1]
  return {{"counterfactual", blend(x, blurred, mask).value()}, {"map", deleted}, {"mask", deleted}};
}

}  // namespace counterfoil::methods
