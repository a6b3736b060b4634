#include "app/registry.h"

#include "kernels/error.h"
#include "methods/bbmp.h"
#include "methods/classifier_training.h"
#include "methods/cyce.h"
#include "methods/cycsae.h"
#include "methods/explaingan.h"
#include "methods/mgen.h"
#include "methods/progressive_exaggeration.h"
#include "methods/sagen.h"
#include "methods/ssye.h"
#include "methods/syce.h"
#include "metrics/embedding.h"
#include "tensor/nearest_name.h"

namespace counterfoil::app {

namespace {

template <typename Config, typename Make>
class ConfigRecipe final : public Recipe {
 public:
  explicit ConfigRecipe(Make maker) : make_(std::move(maker)) {}
  void declare(nn::Keys& keys) override { config_.declare(keys); }
  std::unique_ptr<nn::Trainable> make(const TrainingInputs& inputs) override { return make_(config_, inputs); }

 private:
  Config config_;
  Make make_;
};

template <typename Config, typename Make>
Kind kind(std::string name, std::string summary, std::int64_t default_steps, Make maker) {
  return {std::move(name), std::move(summary), default_steps,
          [maker] { return std::make_unique<ConfigRecipe<Config, Make>>(maker); }};
}

struct ClassifierKey {
  std::string run;
  void declare(nn::Keys& keys) { keys.add("classifier", run, "run directory of the classifier to be explained"); }
};

struct EmbeddingRunConfig {
  metrics::EmbeddingConfig embedding;
  ClassifierKey classifier;
  void declare(nn::Keys& keys) {
    classifier.declare(keys);
    embedding.declare(keys);
  }
};

std::unique_ptr<nn::Trainable> make_embedding(const EmbeddingRunConfig& config, const TrainingInputs& inputs) {
  metrics::EmbeddingConfig embedding = config.embedding;
  const data::Dataset& train = inputs.splits.train;
  embedding.network.image = {train.height, train.width, train.channels};
  const Tensor images = train.all_images(inputs.device);
  const Tensor decisions = train.size() == 0 ? Tensor::zeros(Shape{0}, DType::i32, inputs.device)
                                             : inputs.open_classifier(config.classifier.run).decisions(images);
  return std::make_unique<metrics::EmbeddingTraining>(embedding, images, decisions, inputs.seed);
}

template <typename Config>
struct ExplainerRunConfig {
  Config method;
  ClassifierKey classifier;
  std::string against_all;
  void declare(nn::Keys& keys) {
    classifier.declare(keys);
    keys.add("against_all", against_all,
             "of a classifier of several classes, the one to explain against all others; empty: it has two");
    method.declare(keys);
  }
  nn::Classifier& open(const TrainingInputs& inputs) const {
    return against_all.empty() ? inputs.open_classifier(classifier.run)
                               : inputs.open_one_against_all(classifier.run, against_all);
  }
};

/// An explainer whose constructor takes its config, the classifier, the training images, the seed and the device.
template <typename Method, typename Config>
Kind explainer(std::string name, std::string summary, std::int64_t default_steps) {
  return kind<ExplainerRunConfig<Config>>(std::move(name), std::move(summary), default_steps,
                                          [](const ExplainerRunConfig<Config>& config, const TrainingInputs& inputs) {
                                            return std::make_unique<Method>(config.method, config.open(inputs),
                                                                            inputs.splits.train, inputs.seed,
                                                                            inputs.device);
                                          });
}

std::vector<Kind> make_kinds() {
  return {
      kind<methods::ClassifierConfig>("classifier", "the model to be explained: a LeNet on the classes of --data", 3750,
                                      [](const methods::ClassifierConfig& config, const TrainingInputs& inputs) {
                                        return std::make_unique<methods::ClassifierTraining>(
                                            config, inputs.splits, inputs.seed, inputs.device);
                                      }),
      kind<EmbeddingRunConfig>("embedding", "the VAE and MLP in whose codes fd_mu and js compare images", 3000,
                               make_embedding),
      explainer<methods::Syce, methods::SyceConfig>("syce", "symmetrically conditioned explanation (Charachon et al.)",
                                                    6000),
      explainer<methods::Cyce, methods::CyceConfig>("cyce", "cyclic conditioned explanation (Charachon et al.)", 6000),
      explainer<methods::Cyce, methods::CycleganConfig>("cyclegan",
                                                        "CyCE without the classifier (Zhu et al.), the peer", 6000),
      explainer<methods::Ssye, methods::SsyeConfig>("ssye", "SyCE with a single generator (Charachon et al.)", 6000),
      explainer<methods::Cycsae, methods::CycsaeConfig>(
          "cycsae", "cyclic explanation with a stable and an adversarial head (Charachon et al.)", 6000),
      explainer<methods::Sagen, methods::SagenConfig>(
          "sagen", "similar and adversarial images of one generator, no discriminator (Charachon et al.)", 4000),
      explainer<methods::Mgen, methods::MgenConfig>(
          "mgen", "a generator of masks that keep and destroy the decision (Dabkowski and Gal)", 4000),
      explainer<methods::Bbmp, methods::BbmpConfig>(
          "bbmp", "a mask optimised for each image when it is explained; 0 steps (Fong and Vedaldi)", 0),
      explainer<methods::Explaingan, methods::ExplainganConfig>(
          "explaingan", "a masked change to the other class (Samangouei et al.)", 6000),
      explainer<methods::ProgressiveExaggeration, methods::ProgressiveExaggerationConfig>(
          "progressive-exaggeration", "the query at every probability of the classifier (Singla et al.)", 6000),
  };
}

}  // namespace

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = make_kinds();
  return all;
}

const Kind& kind_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Kind& kind : kinds()) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  fail("nothing trainable is called {}; the nearest is '{}'", in_quotes(name), nearest_name(name, names));
}

}  // namespace counterfoil::app
