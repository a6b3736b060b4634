#include <algorithm>

#include <fmt/format.h>

#include "app/attribution_evaluation.h"
#include "app/commands.h"
#include "app/explaining.h"
#include "app/outputs.h"
#include "app/progress.h"
#include "kernels/error.h"
#include "tensor/ops.h"

namespace counterfoil::app {

namespace {

constexpr std::int64_t kReplacements = 4;

// [M,H,W,C], of the classifier's training images
Tensor draw_replacements(const ClassifierRun& run, const std::filesystem::path& folder, std::uint64_t seed,
                         Device& device) {
  const data::Dataset train = splits_of(*run.run, folder).train;
  Random random(seed, "replacements");
  std::vector<std::int32_t> places = random.permutation(static_cast<std::int32_t>(train.size()));
  places.resize(std::min<std::size_t>(places.size(), kReplacements));
  return train.images(places, device);
}

void check_fits(const AttributionFile& file, const ClassifierRun& run, const std::filesystem::path& folder,
                const Tensor& annotations) {
  const data::Dataset& like = run.run->data.splits.train;
  const Shape& shape = file.input.shape();
  if (shape[1] != like.height || shape[2] != like.width || shape[3] != like.channels) {
    fail("images of {} x {} x {}, {} was trained on {} x {} x {}", shape[1], shape[2], shape[3], folder.string(),
         like.height, like.width, like.channels);
  }
  if (!file.classifier.empty() && file.classifier != run.digest)
    fail("it explains another classifier than {}", folder.string());
  if (annotations.defined() && annotations.shape() != Shape{shape[0], shape[1], shape[2], 1}) {
    fail("annotations {}, expected {}", annotations.shape().to_string(),
         Shape{shape[0], shape[1], shape[2], 1}.to_string());
  }
}

// What the file leaves open. Throws Error when the classifier cannot answer it.
void fill_question(AttributionFile& file, nn::Classifier& classifier, const std::string& scale) {
  nn::Question& question = file.question;
  if (!question.classes.defined()) question.classes = classifier.decisions(file.input);
  if (!scale.empty())
    question.scale = scale == "logits" ? nn::Question::Scale::logits : nn::Question::Scale::probabilities;
  (void)nn::scores(classifier, file.input, question);
}

void print(const AttributionEvaluation& evaluation) {
  fmt::print("{} ({}, {} images)\n", evaluation.file, evaluation.label, evaluation.images);
  for (const auto& [key, value] : evaluation.figures) {
    if (value) fmt::print("  {:<21} {:.4f}\n", key, *value);
  }
}

}  // namespace

int evaluate_attributions_command(const EvaluateAttributionsArguments& arguments) {
  std::vector<std::filesystem::path> inputs = arguments.files;
  inputs.push_back(arguments.annotations);
  check_outputs({arguments.json, arguments.markdown}, inputs);
  Device& device = open_device(arguments.where);
  const ClassifierRun run = load_classifier(arguments.classifier, device);
  const auto seed = static_cast<std::uint64_t>(arguments.seed);
  const Tensor replacements = draw_replacements(run, arguments.classifier, seed, device);
  const Tensor annotations = arguments.annotations.empty() ? Tensor() : read_annotations(arguments.annotations, device);
  std::vector<AttributionFile> files;  // all before the first is measured, so that what is wrong is said at once
  for (const std::filesystem::path& name : arguments.files) {
    files.push_back(read_attributions(name, device));
    try {
      check_fits(files.back(), run, arguments.classifier, annotations);
      fill_question(files.back(), *run.classifier, arguments.scale);
    } catch (const Error& error) {
      fail("{}: {}", name.string(), error.what());
    }
  }
  std::vector<AttributionEvaluation> evaluations;
  const std::int64_t figures = std::ssize(files) * std::ssize(attribution_figures());
  std::int64_t done = 0;
  Progress progress(0, figures, 0, {}, "figure");
  const auto measured = [&] {
    if (++done < figures) progress.step(done, {});
  };
  for (std::size_t i = 0; i < files.size(); ++i) {
    try {
      evaluations.push_back(evaluate_attributions(
          {*run.classifier, files[i], run.classifier->decisions(files[i].input), replacements, annotations, seed},
          measured));
    } catch (const Error& error) {
      fail("{}: {}", arguments.files[i].string(), error.what());
    }
    evaluations.back().file = arguments.files[i].string();
  }
  if (!arguments.json.empty()) write_text_atomically(arguments.json, to_json(evaluations));
  if (!arguments.markdown.empty()) write_text_atomically(arguments.markdown, to_markdown(evaluations));
  for (const AttributionEvaluation& evaluation : evaluations) print(evaluation);
  return 0;
}

}  // namespace counterfoil::app
