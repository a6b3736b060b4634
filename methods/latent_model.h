#pragma once

#include <memory>

#include "data/batch_sampler.h"
#include "data/dataset.h"
#include "nn/keys.h"
#include "nn/models/cdeepex_vae.h"
#include "nn/models/dcgan.h"
#include "nn/trainable.h"

// The map G from codes to images that CDeepEx (methods/cdeepex.h) and xGEM (methods/xgem.h) search in, learnt from the
// images alone (CDeepEx, section 3.2): a Wasserstein GAN, or a variational autoencoder. The classifier has no part in
// it.
//
// Numbered deviations:
//  1. The paper trains as Arjovsky et al. 2017, who clip the critic's weights: here the critic has the gradient penalty
//     of Gulrajani et al. 2017 in its place, with their figures.
//  2. The paper gives no loss for its VAE: ||D(z) - x||^2 + weight_kl KL, sums over an image, which is a normal
//     likelihood of variance weight_kl / 2.
//  3. The GAN's code for digits is not given (200 for Fashion-MNIST, 64x64): that of the VAE, 120, stands for both.

namespace counterfoil::methods {

struct LatentConfig {
  std::string latent = "wgan-gp";                 ///< or vae
  std::int64_t code = 120;                        ///< length of z; deviation 3
  std::int64_t batch = 64;                        ///< Gulrajani et al.
  double gan_learning_rate = 1e-4;                ///< of Adam with betas 0 and 0.9; Gulrajani et al.
  std::int64_t gan_width = 64;                    ///< channels next to the image; appendix 6.1
  std::int64_t critic_steps = 5;                  ///< per step of the generator; Gulrajani et al.
  double weight_gradient_penalty = 10;            ///< Gulrajani et al.
  double vae_learning_rate = 1e-3;                ///< of Adam with its usual betas; not in the paper
  std::int64_t vae_outer = 784, vae_inner = 400;  ///< hidden units; appendix 6.1
  double weight_kl = 0.1;                         ///< deviation 2

  void declare(nn::Keys& keys);
  bool is_gan() const { return latent == "wgan-gp"; }
};

class LatentModel {
 public:
  /// `train` is copied. Throws Error where the networks cannot be built for its extents.
  LatentModel(const LatentConfig& config, const data::Dataset& train, std::uint64_t seed, Device& device);

  /// The stages of a step (nn/trainable.h). GAN: critic_steps steps of the critic, each on a batch of its own, and one
  /// of the generator. VAE: one step.
  std::vector<Tensor> draw();  ///< batches [batch,H,W,C] in [0,1]
  nn::DeviceTerms compute(const std::vector<Tensor>& batches);
  std::int64_t images_per_step() const { return config_.batch * batches_per_step(); }

  /// What the last step drew, [batch,H,W,C].
  const Tensor& drawn() const { return drawn_; }
  /// G: codes [M,code] -> images [M,H,W,C] in [0,1], with running averages.
  Variable generate(const Variable& z);
  /// Whether images have codes without a search: the VAE's encoder.
  bool encodes() const { return vae_ != nullptr; }
  Tensor encode(const Tensor& x);  ///< its mean: [N,H,W,C] -> [N,code]

  /// Puts the networks, optimisers and streams among what a training run remembers. The critic serves training only.
  void remember_in(nn::TrainingState& state);
  /// Copies the networks of another model. Throws Error where they are others.
  void copy_from(LatentModel& other);

 private:
  std::int64_t batches_per_step() const { return config_.is_gan() ? config_.critic_steps : 1; }
  Tensor draw_codes();  ///< [batch,code] ~ N(0,1)
  nn::DeviceTerms gan_step(const std::vector<Tensor>& batches);
  nn::DeviceTerms vae_step(const Tensor& x);
  nn::Module& networks();

  LatentConfig config_;
  Device& device_;
  data::Dataset train_;
  Random weights_random_, codes_random_;
  data::BatchSampler sampler_;
  std::unique_ptr<nn::DcganGenerator> generator_;
  std::unique_ptr<nn::DcganDiscriminator> critic_;
  std::unique_ptr<nn::CdeepexVae> vae_;
  std::unique_ptr<nn::Optimiser> optimiser_, critic_optimiser_;
  Tensor drawn_;
};

}  // namespace counterfoil::methods
