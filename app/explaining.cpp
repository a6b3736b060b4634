#include "app/explaining.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fmt/ranges.h>

#include "autograd/variable.h"
#include "kernels/error.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"

namespace counterfoil::app {

ExplainerRun load_explainer(const std::filesystem::path& folder, Device& device) {
  Run run = load_run(folder, device);
  auto* explainer = dynamic_cast<methods::Explainer*>(run.trainable.get());
  if (explainer == nullptr) fail("{}: a run of {}, which explains nothing", folder.string(), run.settings->kind().name);
  if (run.classifiers.empty()) fail("{}: it explains no classifier", folder.string());
  nn::Classifier& classifier = *run.classifiers.front();
  return {std::move(run), *explainer, classifier};
}

std::vector<std::string> decision_names(const ExplainerRun& explained) {
  for (const nn::Keys::Key& key : explained.run.settings->keys().list()) {
    if (key.name == "against_all" && key.value() != nn::KeyValue(std::string()))
      return {kAnyOther, nn::to_text(key.value())};
  }
  return explained.run.data.splits.train.class_names;
}

int target_named(const ExplainerRun& explained, const std::string& name) {
  const std::string& method = explained.run.settings->kind().name;
  if (dynamic_cast<methods::TargetedExplainer*>(&explained.explainer) == nullptr)
    fail("{} explains towards the other class; no target can be asked for", method);
  const std::vector<std::string> names = decision_names(explained);
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    fail("no class {} to explain towards; there are {}; the nearest is '{}'", in_quotes(name), fmt::join(names, ", "),
         nearest_name(name, names));
  }
  return static_cast<int>(found - names.begin());
}

std::map<std::string, Tensor> explain_images(ExplainerRun& explained, const Tensor& images, const Tensor& targets) {
  auto* targeted = dynamic_cast<methods::TargetedExplainer*>(&explained.explainer);
  constexpr std::int64_t kPart = 64;  // images explained at a time
  std::map<std::string, std::vector<Tensor>> parts;
  const auto probabilities = [&](const Tensor& shown) {
    const NoGrad no_grad;  // around the classifier alone: some methods explain by gradients
    return explained.classifier.probabilities(shown).value();
  };
  for (std::int64_t first = 0; first < images.shape()[0]; first += kPart) {
    const Tensor x = slice(images, 0, first, std::min(first + kPart, images.shape()[0]));  // [n,H,W,C]
    parts["input"].push_back(x);
    parts["probabilities.input"].push_back(probabilities(x));
    const Tensor towards = targets.defined() ? slice(targets, 0, first, first + x.shape()[0])
                                             : methods::runner_up(explained.classifier, x);
    methods::Explanation explanation =
        targeted != nullptr ? targeted->explain_towards(x, towards) : explained.explainer.explain(x);
    if (targeted != nullptr || explained.classifier.class_count() == 2) explanation.emplace("target", towards);
    for (const auto& [name, tensor] : explanation) {
      parts[name].push_back(tensor);
      const bool image = name != "map" && name != "mask" && name != "difference" && name != "picture";
      if (tensor.shape() == x.shape() && image) {
        parts["probabilities." + name].push_back(probabilities(tensor));
      }
    }
  }
  std::map<std::string, Tensor> joined;
  for (const auto& [name, tensors] : parts) joined[name] = concat(tensors, 0);
  return joined;
}

data::Splits splits_of(const Run& run, const std::filesystem::path& folder) {
  const RunConfig& config = run.settings->run();
  data::SplitSource data =
      data::split(data::open_source(config.data), {config.split, static_cast<std::uint64_t>(config.split_seed)});
  const std::filesystem::path file = RunDirectory(folder).splits();
  std::ifstream stream(file, std::ios::binary);
  const std::string stored{std::istreambuf_iterator<char>(stream), {}};
  if (stored != data.description) fail("{}: the data are not those that the run was trained on", file.string());
  return std::move(data.splits);
}

data::Dataset test_images(const Run& run, const std::filesystem::path& folder) {
  return splits_of(run, folder).test;
}

data::Dataset common_test_images(const std::vector<ExplainerRun>& explainers,
                                 const std::vector<std::filesystem::path>& folders) {
  data::Dataset test = test_images(explainers.front().run, folders.front());
  for (std::size_t i = 1; i < explainers.size(); ++i) {
    if (test_images(explainers[i].run, folders[i]).pixels != test.pixels)
      fail("{} and {}: their test images differ", folders.front().string(), folders[i].string());
  }
  return test;
}

std::vector<std::int32_t> choose_queries(const std::vector<std::int32_t>& decisions, int classes,
                                         std::int64_t per_class) {
  std::vector<std::int32_t> chosen;
  for (int label = 0; label < classes; ++label) {
    std::int64_t found = 0;
    for (std::size_t i = 0; i < decisions.size() && found < per_class; ++i) {
      if (decisions[i] != label) continue;
      chosen.push_back(static_cast<std::int32_t>(i));
      ++found;
    }
  }
  return chosen;
}

}  // namespace counterfoil::app
