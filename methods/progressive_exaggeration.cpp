#include "methods/progressive_exaggeration.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "kernels/span.h"
#include "methods/augmentation_keys.h"
#include "methods/decision_domains.h"
#include "methods/image_range.h"

namespace counterfoil::methods {

void ProgressiveExaggerationConfig::declare(nn::Keys& keys) {
  keys.add("mode", mode, {"paper", "official"}, "the paper's losses and networks, or its released code's");
  keys.add("bins", bins, 2, 1000, "parts into which the range of f is cut");
  keys.add("per_bin", per_bin, 1, 1000000000, "most training images of a bin");
  keys.add("batch", batch, 1, 4096, "images per update");
  keys.add("discriminator_steps", discriminator_steps, 1, 100, "updates of D per update of E and G");
  keys.add("learning_rate", learning_rate, 0, 1, "of Adam, for either side");
  keys.add("beta1", beta1, 0, 0.999999, "of Adam");
  keys.add("beta2", beta2, 0, 0.999999, "of Adam");
  keys.add("weight_gan", weight_gan, 0, 1e6, "lambda_cGAN: the adversarial loss, eq. 7 and 8");
  keys.add("weight_classifier", weight_classifier, 0, 1e6, "lambda_f: f says what was asked for");
  keys.add("weight_reconstruction", weight_reconstruction, 0, 1e6, "lambda_rec: self consistency, eq. 5 and 6");
  keys.add("width", width, 1, 1024, "channels next to the image; doubles per level, up to 16 times as many");
  keys.add("levels", levels, 0, 8, "times the networks halve the image; 0: down to 4, or to an odd extent");
  declare_augmentation(keys, augmentation);
}

namespace progressive_exaggeration {

Variable logit(nn::Classifier& classifier, const Variable& x) {
  check_two_classes("progressive exaggeration", classifier);
  const Variable logits = classifier.logits(x);
  return classifier.single_logit() ? logits : slice(logits, 1, 1, 2) - slice(logits, 1, 0, 1);
}

Tensor bins_of(const Tensor& logit, std::int64_t bins) {
  std::vector<std::int32_t> of;
  for (const double z : logit.to_doubles()) {
    const auto bin = static_cast<std::int64_t>(std::floor(static_cast<double>(bins) / (1 + std::exp(-z))));
    of.push_back(static_cast<std::int32_t>(std::clamp<std::int64_t>(bin, 0, bins - 1)));
  }
  return Tensor::from(of, {logit.shape()[0]}, logit.device());
}

Tensor asked_probability(const Tensor& bin, std::int64_t bins, double offset) {
  std::vector<float> asked;
  for (const std::int32_t k : bin.to_vector<std::int32_t>())
    asked.push_back(static_cast<float>((static_cast<double>(k) + offset) / static_cast<double>(bins)));
  return Tensor::from(asked, {bin.shape()[0], 1}, bin.device());
}

Tensor mean_entropy(const Tensor& p) {
  double entropy = 0;
  for (const double value : p.to_doubles()) {
    for (const double part : {value, 1 - value}) entropy -= part > 0 ? part * std::log(part) : 0;
  }
  return Tensor::full({1}, entropy / static_cast<double>(std::max<std::int64_t>(p.size(), 1)), DType::f32, p.device());
}

// D_KL(p || f) = p log(p / f) + (1 - p) log((1 - p) / (1 - f)) = BCE(p, f) - H(p), H the entropy.
Variable divergence(const Tensor& p, const Tensor& entropy, const Variable& logit) {
  return bce_with_logits(logit, p) - Variable(entropy);
}

// Eq. 5: L_rec = ||x - G(E(x), c_f(x, 0))||_1
Variable reconstruction_loss(const Variable& same, const Variable& x) {
  return l1_loss(same, x);
}

// Eq. 6: L_cyc = ||x - G(E(x_delta), c_f(x, 0))||_1
Variable cycle_loss(const Variable& cycled, const Variable& x) {
  return l1_loss(cycled, x);
}

std::vector<std::int32_t> balanced(const std::vector<std::int32_t>& bins, std::int64_t bin_count, std::int64_t per_bin,
                                   Random& random) {
  std::vector<std::int64_t> left(static_cast<std::size_t>(bin_count), per_bin);
  std::vector<std::int32_t> positions;
  for (const std::int32_t i : random.permutation(static_cast<std::int32_t>(bins.size()))) {
    if (left[static_cast<std::size_t>(bins[static_cast<std::size_t>(i)])]-- > 0) positions.push_back(i);
  }
  std::sort(positions.begin(), positions.end());
  return positions;
}

}  // namespace progressive_exaggeration

namespace pe = progressive_exaggeration;

namespace {

nn::PeResnetOptions network_options(const ProgressiveExaggerationConfig& config, const data::Dataset& images) {
  nn::PeResnetOptions options;
  options.image = {images.height, images.width, images.channels};
  options.bins = config.bins;
  options.condition_encoder = options.shared_threshold = config.mode == "official";
  std::int64_t levels = config.levels, height = images.height, width = images.width;
  if (config.levels == 0) {
    for (; height % 2 == 0 && width % 2 == 0 && height > 4 && width > 4; ++levels) {
      height /= 2;
      width /= 2;
    }
  }
  options.widths.clear();
  for (std::int64_t level = 0; level <= levels; ++level)
    options.widths.push_back(config.width << std::min<std::int64_t>(level, 4));
  return options;
}

data::Dataset balanced_images(const ProgressiveExaggerationConfig& config, nn::Classifier& classifier,
                              const data::Dataset& train, std::uint64_t seed, Device& device) {
  constexpr std::int32_t kPart = 256;  // images classified at a time
  const NoGrad no_grad;
  std::vector<std::int32_t> bins;
  const auto count = static_cast<std::int32_t>(train.size());
  for (std::int32_t first = 0; first < count; first += kPart) {
    std::vector<std::int32_t> part;
    for (std::int32_t i = first; i < std::min(first + kPart, count); ++i) part.push_back(i);
    const Tensor logit = pe::logit(classifier, train.images(part, device)).value();
    for (const std::int32_t bin : pe::bins_of(logit, config.bins).to_vector<std::int32_t>()) bins.push_back(bin);
  }
  Random random(seed, "balance");
  return train.subset(pe::balanced(bins, config.bins, config.per_bin, random));
}

Tensor constant_bins(std::int64_t bin, std::int64_t count, Device& device) {
  return Tensor::from(std::vector<std::int32_t>(static_cast<std::size_t>(count), static_cast<std::int32_t>(bin)),
                      {count}, device);
}

}  // namespace

ProgressiveExaggeration::ProgressiveExaggeration(const ProgressiveExaggerationConfig& config,
                                                 nn::Classifier& classifier, const data::Dataset& train,
                                                 std::uint64_t seed, Device& device)
    : config_(config),
      classifier_(classifier),
      device_(device),
      weights_random_(seed, "weights"),
      unused_random_(seed, "unused"),
      target_random_(seed, "targets"),
      augmentation_random_(seed, "augmentation"),
      encoder_(nn::Init{weights_random_, device}, network_options(config, train)),
      generator_(nn::Init{weights_random_, device}, network_options(config, train)),
      discriminator_(nn::Init{weights_random_, device}, network_options(config, train)),
      images_(balanced_images(config, classifier, train, seed, device)),
      sampler_(images_.size(), config.batch, seed, "batches") {
  const AdamStep step{config.learning_rate, config.beta1, config.beta2};
  nn::NamedParameters parameters = encoder_.named_parameters("e.");
  for (auto& parameter : generator_.named_parameters("g.")) parameters.push_back(parameter);
  generator_optimiser_ = nn::adam(parameters, step);
  discriminator_optimiser_ = nn::adam(discriminator_.named_parameters("d."), step);
  state_.modules = {{"e", &encoder_}, {"g", &generator_}, {"d", &discriminator_}};
  state_.optimisers = {{"generator", generator_optimiser_.get()}, {"discriminator", discriminator_optimiser_.get()}};
  state_.randoms = {
      {"batches", &sampler_.progress()}, {"targets", &target_random_}, {"augmentation", &augmentation_random_}};
}

nn::Pass ProgressiveExaggeration::training_pass(bool update_statistics) {
  nn::Pass pass = nn::Pass::train(unused_random_);
  pass.update_statistics = update_statistics;
  return pass;
}

ProgressiveExaggeration::Generated ProgressiveExaggeration::generate(const Variable& x, const Tensor& bins,
                                                                     const nn::Pass& pass) {
  const Variable embedding = encoder_.forward(x, bins, pass);
  return {embedding, generator_.forward(embedding, bins, pass)};
}

std::vector<Tensor> ProgressiveExaggeration::draw() {
  if (images_.size() < config_.batch)
    fail("progressive exaggeration: {} balanced training images, fewer than a batch of {}", images_.size(),
         config_.batch);
  const NoGrad no_grad;
  std::vector<Tensor> drawn;
  Tensor logit, target;  // of the last batch
  for (std::int64_t i = 0; i < config_.discriminator_steps; ++i) {
    const Tensor x =
        data::augment(images_.images(sampler_.next(), device_), config_.augmentation, augmentation_random_);
    logit = pe::logit(classifier_, x).value();  // [N,1]
    std::vector<std::int32_t> bins(static_cast<std::size_t>(config_.batch));
    for (std::int32_t& bin : bins)
      bin = static_cast<std::int32_t>(target_random_.integer(static_cast<std::uint64_t>(config_.bins)));
    target = Tensor::from(bins, {config_.batch}, device_);
    drawn.insert(drawn.end(), {x, pe::bins_of(logit, config_.bins), target});
  }
  const Tensor asked = pe::asked_probability(target, config_.bins, official() ? 0 : 0.5);
  drawn.insert(drawn.end(), {sigmoid(logit).value(), asked, pe::mean_entropy(asked)});
  return drawn;
}

// Eq. 7: L_cGAN(D) = -E min(0, -1 + D(x, c_f(x, 0))) - E min(0, -1 - D(x_delta, c_f(x, delta)))
Variable ProgressiveExaggeration::discriminator_loss(const Batch& batch, const Tensor& fake) {
  const std::vector<Tensor> images = {batch.x, fake}, bins = {batch.own, batch.target};
  const Variable both = discriminator_.forward(concat(images, 0), concat(bins, 0), training_pass(true));  // [2N,1]
  return hinge_discriminator(slice(both, 0, 0, config_.batch), slice(both, 0, config_.batch, 2 * config_.batch));
}

Variable ProgressiveExaggeration::generator_loss(const Batch& batch, const Generated& generated, const Asked& of_f,
                                                 nn::DeviceTerms& terms) {
  const nn::Pass still = training_pass(false);
  const Variable& fake = generated.image;
  drawn_ = {{"g", fake.value()}};
  const auto [fake_embedding, cycled] = generate(fake, batch.own, still);
  const Variable logit = pe::logit(classifier_, to_classifier(fake));  // [N,1]

  // Eq. 8: L_cGAN(G, E) = -E D(x_delta, c_f(x, delta))
  const Variable l_gan = hinge_generator(discriminator_.forward(fake, batch.target, still));
  const Variable l_cyc = pe::cycle_loss(cycled, batch.x);
  Variable l_f, l_rec;
  if (official()) {
    const Variable back = pe::logit(classifier_, to_classifier(cycled));
    l_f = bce_with_logits(logit.detach(), of_f.asked) + bce_with_logits(back.detach(), of_f.before);
    l_rec = l2_loss(fake_embedding, encoder_.forward(batch.x, batch.own, still));
  } else {
    l_f = pe::divergence(of_f.asked, of_f.entropy, logit);
    // E sees no bin here: E(x) is at hand.
    l_rec = pe::reconstruction_loss(generator_.forward(generated.embedding, batch.own, still), batch.x);
  }
  terms.emplace_back("L_cGAN_g", l_gan.value());
  terms.emplace_back("L_f", l_f.value());
  terms.emplace_back("L_rec", l_rec.value());
  terms.emplace_back("L_cyc", l_cyc.value());
  // Eq. 9: lambda_cGAN L_cGAN + lambda_f L_f + lambda_rec (L_rec + L_cyc)
  return l_gan * config_.weight_gan + l_f * config_.weight_classifier + (l_rec + l_cyc) * config_.weight_reconstruction;
}

nn::DeviceTerms ProgressiveExaggeration::compute(const std::vector<Tensor>& drawn) {
  nn::DeviceTerms terms;
  Batch batch;
  Generated generated;  // eq. 2: x_delta. E and G rest while D moves, so the last one serves their own update too
  const std::size_t end = drawn.size() - 3;  // of the batches
  for (std::size_t i = 0; i < end; i += 3) {
    const Span span(device_, "discriminator");
    batch = {to_generator(drawn[i]).value(), drawn[i + 1], drawn[i + 2]};
    generated = generate(batch.x, batch.target, training_pass(true));
    const Variable loss = discriminator_loss(batch, generated.image.value());
    terms.emplace_back("L_cGAN_d", loss.value());
    discriminator_optimiser_->minimise(loss * config_.weight_gan);
  }
  const Span span(device_, "generator");
  generator_optimiser_->minimise(generator_loss(batch, generated, {drawn[end], drawn[end + 1], drawn[end + 2]}, terms));
  return terms;
}

// The discriminator's loss is the mean over its updates.
nn::LossTerms ProgressiveExaggeration::finish(const nn::DeviceTerms& terms) {
  nn::LossTerms values = {{terms.front().first, 0}};
  for (const auto& [name, value] : terms) {
    if (name == values.front().first) {
      values.front().second += value.item() / static_cast<double>(config_.discriminator_steps);
    } else {
      values.emplace_back(name, value.item());
    }
  }
  return values;
}

Explanation ProgressiveExaggeration::explain(const Tensor& x) {
  const NoGrad no_grad;
  const std::int64_t count = x.shape()[0];
  const auto towards = [&](const Tensor& bins) {
    return to_classifier(generate(to_generator(x), bins, nn::Pass::eval()).image).value();
  };
  Explanation explanation;
  for (std::int64_t bin = 0; bin < config_.bins; ++bin)
    explanation["sweep." + std::to_string(bin)] = towards(constant_bins(bin, count, device_));
  const Tensor logit = pe::logit(classifier_, x).value();
  std::vector<std::int32_t> opposite;
  for (const double z : logit.to_doubles()) opposite.push_back(z > 0 ? 0 : static_cast<std::int32_t>(config_.bins - 1));
  explanation["counterfactual"] = towards(Tensor::from(opposite, {count}, device_));
  explanation["reconstruction"] = towards(pe::bins_of(logit, config_.bins));
  explanation["map"] = difference_map(explanation["sweep.0"], explanation["sweep." + std::to_string(config_.bins - 1)]);
  return explanation;
}

}  // namespace counterfoil::methods
