#include "app/explaining.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "autograd/variable.h"
#include "kernels/error.h"
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

std::map<std::string, Tensor> explain_images(ExplainerRun& explained, const Tensor& images) {
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
    for (const auto& [name, tensor] : explained.explainer.explain(x)) {
      parts[name].push_back(tensor);
      if (tensor.shape() == x.shape() && name != "map") {
        parts["probabilities." + name].push_back(probabilities(tensor));
      }
    }
  }
  std::map<std::string, Tensor> joined;
  for (const auto& [name, tensors] : parts) joined[name] = concat(tensors, 0);
  return joined;
}

data::Dataset test_images(const Run& run, const std::filesystem::path& folder) {
  const RunConfig& config = run.settings->run();
  data::SplitSource data =
      data::split(data::open_source(config.data), {config.split, static_cast<std::uint64_t>(config.split_seed)});
  const std::filesystem::path file = RunDirectory(folder).splits();
  std::ifstream stream(file, std::ios::binary);
  const std::string stored{std::istreambuf_iterator<char>(stream), {}};
  if (stored != data.description) fail("{}: the data are not those that the run was trained on", file.string());
  return std::move(data.splits.test);
}

}  // namespace counterfoil::app
