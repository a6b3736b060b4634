#include "methods/single_generator.h"

#include "kernels/span.h"

namespace counterfoil::methods {

SingleGenerator::SingleGenerator(const GeneratorConfig& config, const nn::UNetOptions& unet, nn::Classifier& classifier,
                                 const data::Dataset& train, std::uint64_t seed, Device& device)
    : config_(config),
      classifier_(classifier),
      device_(device),
      train_(train),
      weights_random_(seed, "weights"),
      dropout_random_(seed, "dropout"),
      augmentation_random_(seed, "augmentation"),
      sampler_(train.size(), config.batch, seed, "batches"),
      generator_(nn::Init{weights_random_, device}, unet),
      optimiser_(nn::adam(generator_.named_parameters(), config.adam())) {
  state_.modules = {{"generator", &generator_}};
  state_.optimisers = {{"generator", optimiser_.get()}};
  state_.randoms = {
      {"batches", &sampler_.progress()}, {"dropout", &dropout_random_}, {"augmentation", &augmentation_random_}};
}

std::vector<Tensor> SingleGenerator::draw() {
  const Tensor images = train_.images(sampler_.next(), device_);
  return {data::augment(images, config_.augmentation, augmentation_random_)};
}

nn::DeviceTerms SingleGenerator::compute(const std::vector<Tensor>& batch) {
  const Span span(device_, "generator");
  const GeneratorLoss loss = generator_loss(batch.front());
  optimiser_->minimise(loss.total);
  nn::DeviceTerms terms;
  for (const auto& [name, value] : loss.terms) terms.emplace_back(name, value.value());
  return terms;
}

}  // namespace counterfoil::methods
