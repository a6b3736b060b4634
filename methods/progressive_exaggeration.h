#pragma once

#include <memory>

#include "data/augmentation.h"
#include "data/batch_sampler.h"
#include "data/dataset.h"
#include "methods/explainer.h"
#include "nn/classifier.h"
#include "nn/keys.h"
#include "nn/models/pe_resnet.h"

// Progressive Exaggeration: S. Singla, B. Pollack, J. Chen, K. Batmanghelich, "Explanation by Progressive
// Exaggeration", ICLR 2020.
//
//   symbol                 here
//   f(x)                   probability of class 1
//   c_f(x, 0)              own: the bin that f(x) lies in
//   c_f(x, delta)          target: the bin that is asked for
//   E, G                   encoder_, generator_
//   x_delta = I_f(x, delta) = G(E(x), c_f(x, delta))      fake (eq. 2)
//   D(x, c)                discriminator_: psi(phi(x)) + sum over i < c of v_i . phi(x) (eq. 3 and 4)
//   lambda_cGAN, lambda_f, lambda_rec                      weight_gan, weight_classifier, weight_reconstruction
//
// Numbered deviations, mode "paper":
//  1. f(x) + delta, which D_KL compares with f(x_delta), is the middle of the bin that is asked for. The divergence is
//     taken on the logit of f: the same number without overflow, where the released code's successor adds 1e-8.
//  2. ||.||_1 of eq. 5 and 6 is the mean over pixels, in the generator's range [-1, 1], as in the released code.
//  3. Target bins are uniform over all bins, as in the released code.
//  4. f(x) = 1 lies in the last bin.
//  5. Batch norm sees three kinds of images: x towards the target bin, x towards its own bin, and x_delta towards x's
//     bin. Training uses each batch's own statistics; the running averages follow the first kind alone, which is what
//     explain() (eval mode) is asked for.
//  6. The released code also matches the labels' mix within a bin; here a bin is only bounded in size.
// Mode "official" is what the released code does instead:
//  7. Both classifier terms are cross entropies, against bin / bins and f(x), that give the generator no gradient.
//  8. Eq. 5 is replaced by the mean squared difference of the embeddings E(x) and E(x_delta).
//  9. E is conditioned on the bin too, and all thresholds of eq. 4 share one pair of vectors.
// 10. Its explanations use batch statistics too; here they are as in 5, so that they do not depend on the batch.

namespace counterfoil::methods {

struct ProgressiveExaggerationConfig {
  std::string mode = "paper";              ///< or official
  std::int64_t bins = 10;                  ///< 1 / delta; released configuration
  std::int64_t per_bin = 5000;             ///< most training images per bin; released code
  std::int64_t batch = 32;                 ///< released configuration
  std::int64_t discriminator_steps = 5;    ///< per generator step; released code
  double learning_rate = 2e-4;             ///< of Adam; released code
  double beta1 = 0, beta2 = 0.9;           ///< released code
  double weight_gan = 1;                   ///< lambda_cGAN, appendix A.6
  double weight_classifier = 1;            ///< lambda_f, A.6
  double weight_reconstruction = 100;      ///< lambda_rec of eq. 5 and 6, A.6
  std::int64_t width = 64;                 ///< channels next to the image; doubles per level, up to 16 times as many
  std::int64_t levels = 0;                 ///< times the networks halve the image; 0: down to 4, or to an odd extent
  data::AugmentationOptions augmentation;  ///< none in the paper

  void declare(nn::Keys& keys);
};

namespace progressive_exaggeration {

/// The logit of class 1, [N,1]. x in [0,1]; two classes.
Variable logit(nn::Classifier& classifier, const Variable& x);
/// The bin floor(bins sigmoid(logit)) of each image, i32 [N].
Tensor bins_of(const Tensor& logit, std::int64_t bins);
/// (bin + offset) / bins, [N,1].
Tensor asked_probability(const Tensor& bin, std::int64_t bins, double offset);
/// The entropy of Bernoulli distributions of p [N,1], the mean over images: [1].
Tensor mean_entropy(const Tensor& p);
/// D_KL(p || f) of Bernoulli distributions, the mean over images; p [N,1] has the mean entropy [1].
Variable divergence(const Tensor& p, const Tensor& entropy, const Variable& logit);
Variable reconstruction_loss(const Variable& same, const Variable& x);  ///< eq. 5
Variable cycle_loss(const Variable& cycled, const Variable& x);         ///< eq. 6
/// Positions of at most per_bin images of each bin, ascending; which ones is drawn from `random`.
std::vector<std::int32_t> balanced(const std::vector<std::int32_t>& bins, std::int64_t bin_count, std::int64_t per_bin,
                                   Random& random);

}  // namespace progressive_exaggeration

/// Each step: `discriminator_steps` updates of D (eq. 7), each on a batch of its own, then one of E and G (eq. 8, 9) on
/// the last of these batches.
class ProgressiveExaggeration final : public Explainer {
 public:
  /// `classifier` has two classes and outlives this; `train` is copied.
  ProgressiveExaggeration(const ProgressiveExaggerationConfig& config, nn::Classifier& classifier,
                          const data::Dataset& train, std::uint64_t seed, Device& device);

  /// For each update of D a batch: x [N,H,W,C] in [0,1], own and target bins, i32 [N]. Then what E and G are asked on
  /// the last one (Asked).
  std::vector<Tensor> draw() override;
  nn::DeviceTerms compute(const std::vector<Tensor>& drawn) override;
  nn::LossTerms finish(const nn::DeviceTerms& terms) override;
  std::int64_t images_per_step() const override { return config_.batch * config_.discriminator_steps; }

  /// "sweep.k" for every bin k: x_delta in it; "counterfactual": that of the last bin for a query of class 0, of the
  /// first for one of class 1; "reconstruction": that of the query's own bin; "map": |first - last of the sweep|
  /// (section 4.3). All from running averages.
  Explanation explain(const Tensor& x) override;

 private:
  bool official() const { return config_.mode == "official"; }
  nn::Pass training_pass(bool update_statistics);
  struct Generated {
    Variable embedding, image;  ///< E(x), and G(E(x), bins) in [-1,1]
  };
  Generated generate(const Variable& x, const Tensor& bins, const nn::Pass& pass);  ///< eq. 2
  struct Batch {
    Tensor x, own, target;  ///< [N,H,W,C] in [-1,1], i32 [N], i32 [N]
  };
  /// f on a batch, [N,1]: f(x), and f(x_delta) as it shall be, with its mean entropy [1].
  struct Asked {
    Tensor before, asked, entropy;
  };
  Variable discriminator_loss(const Batch& batch, const Tensor& fake);
  Variable generator_loss(const Batch& batch, const Generated& generated, const Asked& of_f, nn::DeviceTerms& terms);

  ProgressiveExaggerationConfig config_;
  nn::Classifier& classifier_;
  Device& device_;
  Random weights_random_, unused_random_, target_random_, augmentation_random_;
  nn::PeEncoder encoder_;
  nn::PeGenerator generator_;
  nn::PeDiscriminator discriminator_;
  std::unique_ptr<nn::Optimiser> generator_optimiser_, discriminator_optimiser_;
  data::Dataset images_;
  data::BatchSampler sampler_;
};

}  // namespace counterfoil::methods
