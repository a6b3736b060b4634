#include "app/registry.h"

#include "kernels/error.h"
#include "methods/bbmp.h"
#include "methods/cdeepex.h"
#include "methods/classifier_training.h"
#include "methods/cyce.h"
#include "methods/cycsae.h"
#include "methods/explaingan.h"
#include "methods/ganmex.h"
#include "methods/mgen.h"
#include "methods/pixelda.h"
#include "methods/progressive_exaggeration.h"
#include "methods/sagen.h"
#include "methods/ssye.h"
#include "methods/syce.h"
#include "methods/xgem.h"
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
Kind kind(std::string name, std::string paper, std::string summary, std::int64_t default_steps, Make maker) {
  return {std::move(name), std::move(summary), std::move(paper), default_steps,
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
  embedding.network.decisions = train.class_names.size() == 2 ? 1 : std::ssize(train.class_names);
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
    keys.add(
        "against_all", against_all,
        "of a classifier of several classes, the one to explain against all others; empty: it has two, or the method "
        "explains each against each other");
    method.declare(keys);
  }
  nn::Classifier& open(const TrainingInputs& inputs) const {
    return against_all.empty() ? inputs.open_classifier(classifier.run)
                               : inputs.open_one_against_all(classifier.run, against_all);
  }
};

/// An explainer whose constructor takes its config, the classifier, the training images, the seed and the device.
template <typename Method, typename Config>
Kind explainer(std::string name, std::string paper, std::string summary, std::int64_t default_steps) {
  return kind<ExplainerRunConfig<Config>>(std::move(name), std::move(paper), std::move(summary), default_steps,
                                          [](const ExplainerRunConfig<Config>& config, const TrainingInputs& inputs) {
                                            return std::make_unique<Method>(config.method, config.open(inputs),
                                                                            inputs.splits.train, inputs.seed,
                                                                            inputs.device);
                                          });
}

template <typename Config>
struct LatentRunConfig : ExplainerRunConfig<Config> {
  std::string latent_run;
  void declare(nn::Keys& keys) {
    ExplainerRunConfig<Config>::declare(keys);
    keys.add("latent_run", latent_run,
             "run directory of an xgem or cdeepex whose latent model to begin with, also of another classifier; empty: "
             "a new one");
  }
};

/// An explainer that searches in a latent model: with 0 steps and a latent_run it is ready as it is.
template <typename Method, typename Config>
Kind latent_explainer(std::string name, std::string paper, std::string summary, std::int64_t default_steps) {
  return kind<LatentRunConfig<Config>>(
      std::move(name), std::move(paper), std::move(summary), default_steps,
      [](const LatentRunConfig<Config>& config, const TrainingInputs& inputs) {
        auto method = std::make_unique<Method>(config.method, config.open(inputs), inputs.splits.train, inputs.seed,
                                               inputs.device);
        const bool loaded = inputs.splits.train.size() == 0;  // the weights come with the run itself
        if (config.latent_run.empty() || loaded) return method;
        inputs.with_run(config.latent_run, [&](nn::Trainable& other) {
          auto* latent = dynamic_cast<methods::LatentExplainer*>(&other);
          if (latent == nullptr) fail("latent_run: expected a run of xgem or cdeepex");
          method->take_latent(*latent);
        });
        return method;
      });
}

constexpr const char* kCharachon =
    "Charachon, Cournede, Hudelot, Ardon: Leveraging conditional generative models in a general explanation framework "
    "of classifier decisions";

std::vector<Kind> make_kinds() {
  using namespace methods;  // NOLINT(google-build-using-namespace): the table reads better
  return {
      kind<ClassifierConfig>(
          "classifier", "", "the model to be explained: a LeNet, or CDeepEx's or GANMEX's network", 3750,
          [](const ClassifierConfig& config, const TrainingInputs& inputs) {
            return std::make_unique<ClassifierTraining>(config, inputs.splits, inputs.seed, inputs.device);
          }),
      kind<EmbeddingRunConfig>("embedding", "", "the VAE and MLP in whose codes fd_mu and js compare images", 3000,
                               make_embedding),
      explainer<Explaingan, ExplainganConfig>(
          "explaingan",
          "Samangouei, Saeedi, Nakagawa, Silberman: ExplainGAN: model explanation via decision boundary crossing "
          "transformations, ECCV 2018",
          "a masked change to the other class", 6000),
      explainer<ProgressiveExaggeration, ProgressiveExaggerationConfig>(
          "progressive-exaggeration",
          "Singla, Pollack, Chen, Batmanghelich: Explanation by progressive exaggeration, ICLR 2020",
          "the query at every probability of the classifier", 6000),
      latent_explainer<Cdeepex, CdeepexConfig>("cdeepex",
                                               "CDeepEx: contrastive deep explanations, submission to ICLR 2019",
                                               "the nearest code on the boundary where no third class wins", 4000),
      latent_explainer<Xgem, XgemConfig>(
          "xgem", "Joshi, Koyejo, Kim, Ghosh: xGEMs: generating examplars to explain black-box models, 2018",
          "a code nearby that the classifier gives another class", 4000),
      explainer<Ganmex, GanmexConfig>(
          "ganmex", "GANMEX: one-vs-one attributions using GAN-based model explainability, ICLR 2021 submission",
          "the nearest realistic image of any class asked for", 100000),
      explainer<Syce, SyceConfig>("syce", kCharachon, "generators of adversarial images that lead back to stable ones",
                                  6000),
      explainer<Cyce, CyceConfig>("cyce", kCharachon, "a cycle of generators across the decision boundary", 6000),
      explainer<Ssye, SsyeConfig>("ssye", kCharachon, "SyCE with a single generator", 6000),
      explainer<Cycsae, CycsaeConfig>("cycsae", kCharachon,
                                      "a cycle of generators with a stable and an adversarial head each", 6000),
      explainer<Sagen, SagenConfig>(
          "sagen",
          "Charachon, Hudelot, Cournede, Ruppli, Ardon: Combining similarity and adversarial learning to generate "
          "visual explanation, ICPR 2020",
          "similar and adversarial images of one generator, no discriminator", 4000),
      explainer<Mgen, MgenConfig>("mgen",
                                  "Dabkowski, Gal: Real time image saliency for black box classifiers, NIPS 2017",
                                  "a generator of masks that keep and destroy the decision", 4000),
      explainer<Bbmp, BbmpConfig>(
          "bbmp", "Fong, Vedaldi: Interpretable explanations of black boxes by meaningful perturbation, ICCV 2017",
          "a mask optimised for each image when it is explained; 0 steps", 0),
      explainer<Cyce, CycleganConfig>(
          "cyclegan",
          "Zhu, Park, Isola, Efros: Unpaired image-to-image translation using cycle-consistent adversarial networks, "
          "ICCV 2017",
          "CyCE without the classifier, the peer", 6000),
      explainer<Pixelda, PixeldaConfig>(
          "pixelda",
          "Bousmalis, Silberman, Dohan, Erhan, Krishnan: Unsupervised pixel-level domain adaptation with generative "
          "adversarial networks, CVPR 2017",
          "one-way transformers to the other class, the peer", 6000),
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
