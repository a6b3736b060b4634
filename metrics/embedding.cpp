#include "metrics/embedding.h"

#include <algorithm>

#include "autograd/ops.h"
#include "kernels/span.h"

namespace counterfoil::metrics {

void EmbeddingConfig::declare(nn::Keys& keys) {
  keys.add("batch", batch, 1, 4096, "images per step");
  keys.add("learning_rate", learning_rate, 0, 1, "of Adam");
  keys.add("code", network.code, 2, 4096, "dimensions of the code");
  keys.add("hidden", network.hidden, 1, 4096, "hidden units of the classifier on the code");
  keys.add("weight_reconstruction", weight_reconstruction, 0, 1e6, "of the mean squared error");
  keys.add("weight_divergence", weight_divergence, 0, 1e6, "of the KL divergence from N(0, 1), summed over the code");
  keys.add("weight_decision", weight_decision, 0, 1e6, "of the cross entropy of the decision");
}

EmbeddingTraining::EmbeddingTraining(const EmbeddingConfig& config, Tensor images, const Tensor& decisions,
                                     std::uint64_t seed)
    : config_(config),
      images_(std::move(images)),
      decisions_(convert(decisions, DType::f32).reshape({-1, 1})),
      weights_random_(seed, "weights"),
      batch_random_(seed, "batches"),
      noise_random_(seed, "noise"),
      network_({weights_random_, images_.device()}, config.network),
      optimiser_(nn::adam(network_.named_parameters(), {config.learning_rate})) {
  if (decisions.size() != images_.shape()[0]) {
    fail("embedding: {} images but {} decisions", images_.shape()[0], decisions.size());
  }
  state_.modules.emplace_back("embedding", &network_);
  state_.optimisers.emplace_back("embedding", optimiser_.get());
  state_.randoms = {{"batches", &batch_random_}, {"noise", &noise_random_}};
}

std::vector<Tensor> EmbeddingTraining::draw() {
  const auto count = static_cast<std::uint64_t>(images_.shape()[0]);
  std::vector<std::int32_t> positions(static_cast<std::size_t>(config_.batch));
  std::ranges::generate(positions, [&] { return static_cast<std::int32_t>(batch_random_.integer(count)); });
  return {Tensor::from(positions, {config_.batch}, images_.device())};
}

nn::DeviceTerms EmbeddingTraining::compute(const std::vector<Tensor>& batch) {
  const Span span(images_.device(), "embedding");
  const Variable x = gather_rows(images_, batch.front());           // [N,H,W,C]
  const Tensor decisions = gather_rows(decisions_, batch.front());  // [N,1]

  const nn::Pass pass = nn::Pass::train(noise_random_);
  const nn::GaussianCode code = network_.encode(x, pass);
  const Variable z = nn::sample(code, noise_random_);
  const Variable reconstruction = l2_loss(network_.decode(z, pass), x);
  const Variable divergence = gaussian_kl(code.mean, code.log_variance);
  const Variable logits = network_.decision_logits(code.mean, pass);  // [N,1] or [N,K]
  const Variable decision = logits.shape()[1] > 1 ? cross_entropy(logits, convert(decisions, DType::i32).reshape({-1}))
                                                  : bce_with_logits(logits, Variable(decisions));
  optimiser_->minimise(reconstruction * config_.weight_reconstruction + divergence * config_.weight_divergence +
                       decision * config_.weight_decision);
  return {{"L_rec", reconstruction.value()}, {"L_KL", divergence.value()}, {"L_dec", decision.value()}};
}

Tensor embed(nn::VaeEmbedding& network, const Tensor& images) {
  const NoGrad no_grad;
  constexpr std::int64_t kChunk = 256;
  std::vector<Tensor> codes;
  for (std::int64_t first = 0; first < images.shape()[0]; first += kChunk) {
    const std::int64_t end = std::min(first + kChunk, images.shape()[0]);
    codes.push_back(network.forward(slice(images, 0, first, end), nn::Pass::eval()).value());
  }
  if (codes.empty()) fail("embed: no images");
  return concat(codes, 0);
}

}  // namespace counterfoil::metrics
