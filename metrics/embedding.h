#pragma once

#include "nn/keys.h"
#include "nn/models/vae_embedding.h"
#include "nn/trainable.h"

namespace counterfoil::metrics {

/// Training of the embedding in which FD_mu and JS are measured (Charachon et al., section 6.3): a variational
/// autoencoder whose mean code also predicts the decisions of the explained classifier, so that the two domains
/// separate in it.
struct EmbeddingConfig {
  nn::VaeEmbeddingOptions network;
  double learning_rate = 1e-3;       ///< Adam; not given in the paper
  std::int64_t batch = 64;           ///< not given in the paper
  double weight_reconstruction = 1;  ///< mean squared error over pixels (released code)
  double weight_divergence = 5;      ///< KL from N(0,1), summed over the code's dimensions (released code)
  double weight_decision = 0.1;      ///< BCE of the decision (released code); cross entropy of several classes

  void declare(nn::Keys& keys);
};

class EmbeddingTraining final : public nn::Trainable {
 public:
  /// images [N,H,W,C] in [0,1] and the classifier's decisions on them, i32 [N], of 0 and 1 where the network has one
  /// logit for them; both stay on `images`' device.
  EmbeddingTraining(const EmbeddingConfig& config, Tensor images, const Tensor& decisions, std::uint64_t seed);

  std::vector<Tensor> draw() override;  ///< positions of the batch, i32 [N]
  /// L_rec = mean (x - decode(z))^2, L_KL = KL(N(mu, sigma^2) || N(0,1)), L_dec = BCE(c_f(x), MLP(mu)); z = mu + sigma
  /// noise.
  nn::DeviceTerms compute(const std::vector<Tensor>& batch) override;
  std::int64_t images_per_step() const override { return config_.batch; }
  nn::VaeEmbedding& network() { return network_; }

 private:
  EmbeddingConfig config_;
  Tensor images_, decisions_;  // [N,H,W,C], f32 [N,1]
  Random weights_random_, batch_random_, noise_random_;
  nn::VaeEmbedding network_;
  std::unique_ptr<nn::Optimiser> optimiser_;
};

/// Codes mu [N,code] of images [N,H,W,C], a part at a time.
Tensor embed(nn::VaeEmbedding& network, const Tensor& images);

}  // namespace counterfoil::metrics
