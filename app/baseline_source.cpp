#include "app/baseline_source.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "app/explaining.h"
#include "kernels/error.h"
#include "tensor/nearest_name.h"

namespace counterfoil::app {

namespace {

void check_same_classifier(const ExplainerRun& explained, const ClassifierRun& classifier,
                           const std::filesystem::path& folder) {
  for (const auto& [path, digest] : explained.run.classifier_digests) {
    if (digest == classifier.digest) return;
  }
  fail("--baseline {}: it explains another classifier than {}", in_quotes(folder.string()),
       classifier.run->settings->kind().name);
}

Tensor counterfactuals(const std::filesystem::path& folder, const ClassifierRun& classifier, const Tensor& x,
                       const Tensor& against) {
  ExplainerRun explained = load_explainer(folder, x.device());
  check_same_classifier(explained, classifier, folder);
  const bool targeted = dynamic_cast<methods::TargetedExplainer*>(&explained.explainer) != nullptr;
  if (targeted && !against.defined()) {
    fail("--baseline {}: {} leads to a class that is asked for; name one with --against", in_quotes(folder.string()),
         explained.run.settings->kind().name);
  }
  if (targeted && decision_names(explained) != classifier.run->data.splits.train.class_names) {
    fail("--baseline {}: it knows {} alone", in_quotes(folder.string()), fmt::join(decision_names(explained), ", "));
  }
  return explain_images(explained, x, targeted ? against : Tensor()).at("counterfactual");
}

}  // namespace

const std::vector<std::string>& baseline_names() {
  static const std::vector<std::string> names = {"zero", "max"};
  return names;
}

void check_baseline_source(const BaselineSource& source, bool held_against) {
  const std::vector<std::string>& names = baseline_names();
  const bool named = std::ranges::find(names, source.name) != names.end();
  if (!named && !std::filesystem::is_directory(source.name)) {
    fail("--baseline {}: neither a run directory nor one of {}; the nearest is '{}'", in_quotes(source.name),
         fmt::join(names, ", "), nearest_name(source.name, names));
  }
  if (!held_against && (source.name == "mdts" || source.name == "class-samples"))
    fail("--baseline {}: it is of the class held against; name one with --against", source.name);
  if (source.count > 1 && source.name != "class-samples")
    fail("--baselines {}: {} gives one for each image", source.count, in_quotes(source.name));
}

Tensor make_baselines(const BaselineSource& source, const ClassifierRun& classifier,
                      const std::filesystem::path& folder, const Tensor& x, const nn::Question& question,
                      std::uint64_t seed) {
  (void)folder;
  (void)seed;
  if (source.name == "zero") return x.zeros_like();
  if (source.name == "max") return Tensor::full(x.shape(), 1, x.dtype(), x.device());
  return counterfactuals(source.name, classifier, x, question.against);
}

}  // namespace counterfoil::app
