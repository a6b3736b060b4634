#include "methods/single_generator.h"

namespace counterfoil::methods {

SingleGenerator::SingleGenerator(const GeneratorConfig& config, const nn::UNetOptions& unet, const data::Dataset& train,
                                 std::uint64_t seed, Device& device)
    : config_(config),
      device_(device),
      train_(train),
      weights_random_(seed, "weights"),
      dropout_random_(seed, "dropout"),
      augmentation_random_(seed, "augmentation"),
      sampler_(train.size(), config.batch, seed, "batches"),
      network_(nn::Init{weights_random_, device}, unet),
      optimiser_(nn::adam(network_.named_parameters(), config.adam())) {}

void SingleGenerator::remember_in(nn::TrainingState& state) {
  state.modules.emplace_back("generator", &network_);
  state.optimisers.emplace_back("generator", optimiser_.get());
  state.randoms.emplace_back("batches", &sampler_.progress());
  state.randoms.emplace_back("dropout", &dropout_random_);
  state.randoms.emplace_back("augmentation", &augmentation_random_);
}

Tensor SingleGenerator::next_images() {
  return data::augment(train_.images(sampler_.next(), device_), config_.augmentation, augmentation_random_);
}

nn::DeviceTerms SingleGenerator::minimise(const GeneratorLoss& loss) {
  optimiser_->minimise(loss.total);
  nn::DeviceTerms terms;
  for (const auto& [name, value] : loss.terms) terms.emplace_back(name, value.value());
  return terms;
}

}  // namespace counterfoil::methods
