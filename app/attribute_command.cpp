#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "app/attribution_registry.h"
#include "app/baseline_source.h"
#include "app/commands.h"
#include "app/explaining.h"
#include "app/outputs.h"
#include "app/progress.h"
#include "app/queries.h"
#include "app/report.h"
#include "kernels/error.h"
#include "metrics/cascading_randomisation.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

constexpr const char* kRunnerUp = "runner-up";
constexpr std::int64_t kPart = 16;  // images attributed at a time

std::int32_t class_named(const std::string& name, const std::vector<std::string>& names, const char* flag) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    fail("{}: no class {}; there are {}; the nearest is '{}'", flag, in_quotes(name), fmt::join(names, ", "),
         nearest_name(name, names));
  }
  return static_cast<std::int32_t>(found - names.begin());
}

Tensor of_classes(const std::vector<std::int32_t>& classes, Device& device) {
  return Tensor::from(classes, {std::ssize(classes)}, device);
}

// The likeliest class of each image but the one explained.
std::vector<std::int32_t> likeliest_other(nn::Classifier& classifier, const Tensor& x,
                                          const std::vector<std::int32_t>& explained) {
  std::vector<std::int32_t> other = classifier.decisions(x).to_vector<std::int32_t>();
  const std::vector<std::int32_t> second = methods::runner_up(classifier, x).to_vector<std::int32_t>();
  for (std::size_t i = 0; i < other.size(); ++i) {
    if (other[i] == explained[i]) other[i] = second[i];
  }
  return other;
}

struct Asked {
  Queries queries;
  nn::Question question;
};

// What is asked, of the images given or of the test images; those of the latter for which the class explained would be
// held against itself are left out.
Asked read_question(const AttributeArguments& arguments, const ClassifierRun& run, Device& device) {
  nn::Classifier& classifier = *run.classifier;
  const data::Dataset& like = run.run->data.splits.train;
  std::optional<std::int32_t> explained, against;
  if (!arguments.explained.empty()) explained = class_named(arguments.explained, like.class_names, "--class");
  const bool runner_up = arguments.against == kRunnerUp;
  if (!arguments.against.empty() && !runner_up) against = class_named(arguments.against, like.class_names, "--against");
  if (explained && explained == against)
    fail("--against {}: that is the class explained", in_quotes(arguments.against));

  Queries queries;
  const bool given = !arguments.input.empty();
  if (given) {
    queries = read_queries(arguments.input, like, device);
  } else {
    queries.images = test_images(*run.run, arguments.classifier).all_images(device);
    for (std::int64_t i = 0; i < queries.images.shape()[0]; ++i) queries.names.push_back(fmt::format("test.{}", i));
  }
  std::vector<std::int32_t> classes(queries.names.size(), explained.value_or(0));
  if (!explained) classes = classifier.decisions(queries.images).to_vector<std::int32_t>();
  std::vector<std::int32_t> kept;
  const std::size_t most = given || arguments.images == 0 ? classes.size() : static_cast<std::size_t>(arguments.images);
  for (std::size_t i = 0; i < classes.size() && kept.size() < most; ++i) {
    if (!against || classes[i] != *against) kept.push_back(static_cast<std::int32_t>(i));
    if (given && kept.size() <= i)
      fail("--against {}: {} is decided so", in_quotes(arguments.against), in_quotes(queries.names[i]));
  }
  if (kept.empty()) fail("{}: no test images to explain", arguments.classifier.string());
  if (kept.size() < classes.size()) {
    Queries chosen{gather_rows(queries.images, of_classes(kept, device)), {}};
    for (const std::int32_t at : kept) chosen.names.push_back(queries.names[static_cast<std::size_t>(at)]);
    queries = std::move(chosen);
  }
  nn::Question question = nn::Question{of_classes(classes, device)}.gather(kept);
  if (against) question.against = of_classes(std::vector<std::int32_t>(kept.size(), *against), device);
  if (runner_up) {
    question.against =
        of_classes(likeliest_other(classifier, queries.images, question.classes.to_vector<std::int32_t>()), device);
  }
  if (arguments.scale == "probabilities") question.scale = nn::Question::Scale::probabilities;
  return {std::move(queries), std::move(question)};
}

// A part at a time, with a line on stderr every few seconds.
methods::Attribution attribute_in_parts(const methods::AttributionMethod& method, nn::Classifier& classifier,
                                        const Tensor& x, const nn::Question& question, const Tensor& baselines,
                                        std::uint64_t seed) {
  const std::int64_t images = x.shape()[0];
  std::vector<Tensor> values, gaps;
  Progress progress(0, images, 1, {}, "image");
  for (std::int64_t begin = 0; begin < images; begin += kPart) {
    const std::int64_t end = std::min(begin + kPart, images);
    const methods::Attribution part =
        method.attribute({.classifier = classifier,
                          .x = slice(x, 0, begin, end),
                          .question = question.rows(begin, end),
                          .baselines = baselines.defined() ? slice(baselines, 0, begin, end) : Tensor(),
                          .seed = seed,
                          .first = begin});
    values.push_back(part.values);
    if (part.gap.defined()) gaps.push_back(part.gap);
    if (end < images) progress.step(end, {});
  }
  return {concat(values, 0), gaps.empty() ? Tensor() : concat(gaps, 0)};
}

Tensor probabilities_of(nn::Classifier& classifier, const Tensor& x) {
  const NoGrad no_grad;
  std::vector<Tensor> parts;
  for (std::int64_t begin = 0; begin < x.shape()[0]; begin += kPart)
    parts.push_back(classifier.probabilities(slice(x, 0, begin, std::min(begin + kPart, x.shape()[0]))).value());
  return concat(parts, 0);
}

void write_pictures(const std::filesystem::path& folder, const std::vector<std::string>& names,
                    const TensorFile& output) {
  const auto sets = output.tensors.find("baseline");
  const Tensor summed = reduce(ReduceOp::sum, output.at("attribution"), {3});  // [N,H,W,1]
  const Shape& shape = output.at("input").shape();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    data::write_png(folder / (names[i] + ".attribution.png"),
                    signed_image(slice(summed, 0, at, at + 1).to_vector<float>(), shape[1], shape[2]));
    if (sets == output.tensors.end() || (shape[3] != 1 && shape[3] != 3)) continue;
    data::write_png(
        folder / (names[i] + ".baseline.png"),
        grey_or_colour_image(slice(sets->second, 0, at, at + 1).to_vector<float>(), shape[1], shape[2], shape[3]));
  }
}

void print_gap(const Tensor& gap) {
  double sum = 0, largest = 0;
  for (const double value : gap.to_doubles()) {
    sum += std::abs(value);
    largest = std::max(largest, std::abs(value));
  }
  fmt::print("completeness gap: mean {:.3g}, largest {:.3g}\n", sum / static_cast<double>(gap.size()), largest);
}

// How alike each attribution is to the one of a classifier that has forgotten a layer more, from its output on.
std::string cascade_json(ClassifierRun& run, const Tensor& attribution, std::uint64_t seed,
                         const std::function<Tensor()>& attribute_again) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  const auto mean = [](const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  nn::Module& network = *run.run->trainable->training_state().modules.front().second;
  metrics::randomise_cascading(network, seed, [&](const std::string& layer) {
    const metrics::RankSimilarity alike = metrics::rank_similarity(attribution, attribute_again());
    const double values = mean(alike.values), magnitudes = mean(alike.magnitudes);
    layers.push_back({{"layer", layer}, {"values", values}, {"magnitudes", magnitudes}});
    fmt::print("randomised to {:<16} rank correlation {:.3f}, of magnitudes {:.3f}\n", layer, values, magnitudes);
  });
  return nlohmann::ordered_json{{"layers", layers}}.dump(2) + "\n";
}

std::string settings_text(const nn::Keys& keys) {
  std::string text;
  for (const nn::Keys::Key& key : keys.list())
    text += fmt::format("{}{} = {}", text.empty() ? "" : "\n", key.name, nn::to_text(key.value()));
  return text;
}

}  // namespace

int attribute_command(const AttributeArguments& arguments) {
  const std::unique_ptr<methods::AttributionMethod> method = attribution_named(arguments.method).make();
  nn::Keys keys;
  method->declare(keys);
  for (const auto& [key, text] : arguments.flags) keys.set_text(key, text);
  const bool tensors = arguments.output.extension() == ".safetensors";
  if (!tensors && !arguments.output.extension().empty() && !std::filesystem::is_directory(arguments.output))
    fail("--output {}: expected a .safetensors file or a folder", in_quotes(arguments.output.string()));
  check_outputs({tensors ? arguments.output : std::filesystem::path(), arguments.cascade}, arguments.input);
  const methods::BaselineUse use = method->baseline_use();
  const BaselineSource source = baseline_source(arguments.baseline, arguments.baselines, use);

  Device& device = open_device(arguments.where);
  ClassifierRun run = load_classifier(arguments.classifier, device);
  nn::Classifier& classifier = *run.classifier;
  const Asked asked = read_question(arguments, run, device);
  if (!tensors) prepare_folder(arguments.output, asked.queries.names);
  const Tensor& x = asked.queries.images;
  const auto seed = static_cast<std::uint64_t>(arguments.seed);

  Tensor baselines;
  if (use != methods::BaselineUse::none)
    baselines = make_baselines(source, run, arguments.classifier, x, asked.question, seed);
  device.reset_high_water();
  const auto began = std::chrono::steady_clock::now();
  const methods::Attribution attribution = attribute_in_parts(*method, classifier, x, asked.question, baselines, seed);
  device.synchronize();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began;

  TensorFile output;
  output.tensors = {{"input", x},
                    {"attribution", attribution.values.to(DType::f32)},
                    {"classes", asked.question.classes},
                    {"scores", nn::scores(classifier, x, asked.question)},
                    {"probabilities", probabilities_of(classifier, x)}};
  if (asked.question.against.defined()) output.tensors["against"] = asked.question.against;
  if (baselines.defined()) output.tensors[baselines.shape().rank() == 5 ? "baselines" : "baseline"] = baselines;
  if (attribution.gap.defined()) output.tensors["gap"] = attribution.gap.to(DType::f32);
  output.metadata = {{"format", "counterfoil attribution"},
                     {"version", version()},
                     {"method", arguments.method},
                     {"settings", settings_text(keys)},
                     {"scale", arguments.scale},
                     {"seed", std::to_string(arguments.seed)},
                     {"class_names", fmt::format("{}", fmt::join(run.run->data.splits.train.class_names, "\n"))},
                     {"classifier", run.digest}};
  if (baselines.defined()) output.metadata["baseline"] = source.name;
  if (tensors) {
    write_safetensors(arguments.output, output);
  } else {
    write_pictures(arguments.output, asked.queries.names, output);
  }
  const auto images = static_cast<double>(asked.queries.names.size());
  fmt::print("{}: {} images attributed, {:.2g} s an image, {}\n", arguments.output.string(), images,
             elapsed.count() / images, peak_memory_text(device));
  if (attribution.gap.defined()) print_gap(attribution.gap);
  if (!arguments.cascade.empty()) {
    const auto again = [&] {
      return attribute_in_parts(*method, classifier, x, asked.question, baselines, seed).values;
    };
    write_text_atomically(arguments.cascade, cascade_json(run, attribution.values, seed, again));
  }
  return 0;
}

}  // namespace counterfoil::app
