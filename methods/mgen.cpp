#include "methods/mgen.h"

#include "autograd/ops.h"
#include "kernels/span.h"

namespace counterfoil::methods {

namespace {

/// Phi(x, m) = m x + (1 - m) A(x)
Variable blend(const Variable& x, const Variable& fill, const Variable& mask) {
  return fill + mask * (x - fill);
}

}  // namespace

void MgenConfig::declare(nn::Keys& keys) {
  GeneratorConfig::declare(keys);
  keys.add("weight_destroyer", weight_destroyer, 0, 1e6, "of the decision lost where the evidence is taken away");
  keys.add("weight_preserver", weight_preserver, 0, 1e6, "of the decision kept where only the evidence is left");
  keys.add("weight_area", weight_area, 0, 1e6, "of mean((m + 0.0005)^area_power)");
  keys.add("weight_smoothness", weight_smoothness, 0, 1e6, "of the mask's squared total variation");
  keys.add("destroyer_margin", destroyer_margin, 0, 1e6, "log-odds by which the decision shall be lost");
  keys.add("preserver_margin", preserver_margin, 0, 1e6, "log-odds by which the decision shall be kept");
  keys.add("area_power", area_power, 1e-3, 10, "exponent of the area term");
  keys.add("blur_sigma", blur_sigma, 0.1, 100, "pixels: deviation of the blur that takes evidence away");
  keys.add("mask_sigma", mask_sigma, 0, 100, "pixels: deviation of the filter on the upsampled mask; 0: none");
}

nn::UNetOptions MgenConfig::unet(const data::Dataset& images) const {
  nn::UNetOptions options = GeneratorConfig::unet(images);
  options.outputs = 2;
  return options;
}

Variable class_margin(const Variable& log_probabilities, const Tensor& classes) {
  constexpr double kNever = 1e9;  // takes the class itself out of the maximum
  const Variable own(one_hot(classes, log_probabilities.shape()[1], log_probabilities.dtype()));  // [N,K]
  return sum(log_probabilities * own, {1}) - max(log_probabilities - own * kNever, {1});
}

Mgen::Mgen(const MgenConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
           Device& device)
    : config_(config),
      classifier_(classifier),
      device_(device),
      generator_(config, config.unet(train), train, seed, device),
      fill_random_(seed, "fill"),
      blur_taps_(gaussian_taps(config.blur_sigma, DType::f32, device)) {
  if (config.mask_sigma > 0) mask_taps_ = gaussian_taps(config.mask_sigma, DType::f32, device);
  generator_.remember_in(state_);
  state_.randoms.emplace_back("fill", &fill_random_);
}

Variable Mgen::mask(const Variable& x, const nn::Pass& pass) {
  const Variable channels = abs(generator_.network().forward(x, pass));  // [N,H,W,2]: |a|, |b|
  // m = |a| / (|a| + |b|)
  const Variable fine = slice(channels, 3, 0, 1) / (sum(channels, {3}) + 1e-6);
  return avg_pool(fine, PoolGeometry::square(2, 2));
}

Variable Mgen::upsampled(const Variable& mask, const Shape& images) const {
  const Variable full = resize(mask, images[1], images[2], ResizeMode::bilinear);
  return config_.mask_sigma == 0 ? full : gaussian_blur(full, mask_taps_);
}

Tensor Mgen::random_fill(const Tensor& x) {
  const NoGrad no_grad;
  const Shape& shape = x.shape();
  const Variable colour = fill_random_.uniform(Shape{shape[0], 1, 1, shape[3]}, 0.17, 0.83, x.device());
  const Variable noise = fill_random_.normal(shape, 0, 0.055, x.device());
  const Variable coin = fill_random_.uniform(Shape{shape[0], 1, 1, 1}, 0, 1, x.device());
  const Variable coloured = clip(colour + noise, 0, 1);
  return blend(gaussian_blur(x, blur_taps_), coloured, greater_than(coin, 0.5)).value();
}

std::vector<Tensor> Mgen::draw() {
  return {generator_.next_images()};
}

nn::DeviceTerms Mgen::compute(const std::vector<Tensor>& drawn) {
  const Span span(device_, "generator");
  return generator_.minimise(generator_loss(drawn.front()));
}

GeneratorLoss Mgen::generator_loss(const Variable& x) {
  const Tensor classes = classifier_.decisions(x.value());
  const Variable small = mask(x, generator_.training_pass());
  const Variable m = upsampled(small, x.shape());  // [N,H,W,1]
  drawn_ = {{"the generator of masks", small.value()}};
  const Tensor fill = random_fill(x.value());
  const Variable kept = class_margin(classifier_.log_probabilities(blend(x, fill, m)), classes);
  const Variable left = class_margin(classifier_.log_probabilities(blend(x, fill, 1 - m)), classes);
  return weigh({
      // mean max(0, margin_c(Phi(x, 1 - m)) + 5)
      {"L_destroy", config_.weight_destroyer, reshape(mean(relu(left + config_.destroyer_margin)), {1})},
      // mean max(0, 1 - margin_c(Phi(x, m)))
      {"L_preserve", config_.weight_preserver, reshape(mean(relu(config_.preserver_margin - kept)), {1})},
      // mean (m + 0.0005)^0.3
      {"L_area", config_.weight_area, reshape(mean(pow(small + 0.0005, config_.area_power)), {1})},
      // per image, sum over cells of (dm/dx)^2 + (dm/dy)^2
      {"L_smooth", config_.weight_smoothness, total_variation(small, 2)},
  });
}

Explanation Mgen::explain(const Tensor& x) {
  const NoGrad no_grad;
  const Variable m = upsampled(mask(x, nn::Pass::eval()), x.shape());
  return {{"counterfactual", blend(x, gaussian_blur(x, blur_taps_), 1 - m).value()},
          {"map", m.value()},
          {"mask", m.value()}};
}

}  // namespace counterfoil::methods
