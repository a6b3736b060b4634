#include "app/baseline_source.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "app/explaining.h"
#include "kernels/error.h"
#include "methods/attributions/baselines.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"

namespace counterfoil::app {

namespace {

constexpr std::int64_t kUsualSamples = 32;
constexpr double kBlur = 0.1;                                // deviation, of the shorter side
constexpr std::uint64_t kLargest = std::uint64_t{2} << 30U;  // bytes of baselines

void check_same_classifier(const ExplainerRun& explained, const ClassifierRun& classifier,
                           const std::filesystem::path& folder) {
  for (const auto& [path, digest] : explained.run.classifier_digests) {
    if (digest == classifier.digest) return;
  }
  fail("--baseline {}: it explains another classifier", in_quotes(folder.string()));
}

// The classes that an explainer which can choose is asked for, among its decisions. One of a class against all others
// leads to that class where it is the one held against, and away from it where it is explained with none against it.
Tensor targets(const ExplainerRun& explained, const std::filesystem::path& folder,
               const std::vector<std::string>& class_names, const nn::Question& question) {
  const std::vector<std::string> decisions = decision_names(explained);
  if (decisions == class_names) {
    if (question.against.defined()) return question.against;
    fail("--baseline {}: {} leads to a class that is asked for; name one with --against", in_quotes(folder.string()),
         explained.run.settings->kind().name);
  }
  const bool away = !question.against.defined();
  std::vector<std::int32_t> asked = (away ? question.classes : question.against).to_vector<std::int32_t>();
  for (std::int32_t& label : asked) {
    if (class_names.at(static_cast<std::size_t>(label)) != decisions.back()) {
      fail("--baseline {0}: it leads to {1} or away from it; ask with --against {1}, or with --class {1} alone",
           in_quotes(folder.string()), decisions.back());
    }
    label = away ? 0 : 1;
  }
  return Tensor::from(asked, {std::ssize(asked)}, question.classes.device());
}

Tensor counterfactuals(const std::filesystem::path& folder, const ClassifierRun& classifier, const Tensor& x,
                       const nn::Question& question) {
  ExplainerRun explained = load_explainer(folder, x.device());
  check_same_classifier(explained, classifier, folder);
  const bool targeted = dynamic_cast<methods::TargetedExplainer*>(&explained.explainer) != nullptr;
  const std::vector<std::string>& class_names = classifier.run->data.splits.train.class_names;
  return explain_images(explained, x, targeted ? targets(explained, folder, class_names, question) : Tensor())
      .at("counterfactual");
}

}  // namespace

const std::vector<std::string>& baseline_names() {
  static const std::vector<std::string> names = {"zero", "max", "blur", "mdts", "samples", "class-samples"};
  return names;
}

BaselineSource baseline_source(const std::string& name, std::optional<std::int64_t> count, methods::BaselineUse use) {
  const bool several = use == methods::BaselineUse::several;
  if (use == methods::BaselineUse::none) {
    if (!name.empty()) fail("--baseline {}: the method takes no baseline", in_quotes(name));
    if (count) fail("--baselines {}: the method takes no baseline", *count);
    return {};
  }
  BaselineSource source{name.empty() ? (several ? "samples" : "zero") : name, 1};
  const std::vector<std::string>& names = baseline_names();
  if (std::ranges::find(names, source.name) == names.end() && !std::filesystem::is_directory(source.name)) {
    fail("--baseline {}: neither a run directory nor one of {}; the nearest is '{}'", in_quotes(source.name),
         fmt::join(names, ", "), nearest_name(source.name, names));
  }
  const bool drawn = source.name == "samples" || source.name == "class-samples";
  if (count.value_or(1) > 1 && !several) fail("--baselines {}: the method takes one for each image", *count);
  if (count.value_or(1) > 1 && !drawn) fail("--baselines {}: {} gives one for each image", *count, source.name);
  if (drawn) source.count = count.value_or(several ? kUsualSamples : 1);
  return source;
}

Tensor make_baselines(const BaselineSource& source, const ClassifierRun& classifier,
                      const std::filesystem::path& folder, const Tensor& x, const nn::Question& question,
                      std::uint64_t seed) {
  const Shape& shape = x.shape();
  if (source.name == "zero") return methods::zero_baseline(x);
  if (source.name == "max") return methods::max_baseline(x);
  if (source.name == "blur")
    return methods::blur_baseline(x, kBlur * static_cast<double>(std::min(shape[1], shape[2])));
  const bool mdts = source.name == "mdts", samples = source.name == "samples";
  if (!mdts && !samples && source.name != "class-samples") return counterfactuals(source.name, classifier, x, question);

  if (static_cast<std::uint64_t>(source.count) > kLargest / x.bytes())
    fail("--baselines {}: of {} images more than {} GiB", source.count, shape[0], kLargest >> 30U);
  const data::Dataset train = splits_of(*classifier.run, folder).train;
  Tensor sets;  // [N,B,H,W,C]
  if (samples) {
    sets = broadcast_to(methods::all_samples(slice(x, 0, 0, 1), train, source.count, seed),
                        {shape[0], source.count, shape[1], shape[2], shape[3]});
  } else {
    const std::vector<std::int32_t> decided = methods::decided_classes(*classifier.classifier, train, x.device());
    if (mdts) return methods::mdts_baseline(x, question, train, decided);
    sets = methods::class_samples(x, question, train, decided, source.count, seed);
  }
  return source.count == 1 ? sets.reshape(shape) : sets;
}

}  // namespace counterfoil::app
