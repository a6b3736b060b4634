#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands.h"
#include "app/outputs.h"
#include "app/progress.h"
#include "app/substitution.h"
#include "app/training_loop.h"
#include "kernels/error.h"
#include "methods/classifier_training.h"
#include "tensor/nearest_name.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

/// The run directory of the classifier that a run explains.
std::string explained_classifier(const ExplainerRun& explained, const std::filesystem::path& folder) {
  const nn::Keys& keys = explained.run.settings->keys();
  if (const std::string one = nn::to_text(keys.at("against_all").value()); !one.empty()) {
    fail("{}: it explains {} against all others, and no classifier of its data's classes could be trained on that",
         folder.string(), in_quotes(one));
  }
  return nn::to_text(keys.at("classifier").value());
}

/// Trains classifiers as one that is there already was trained: the same settings and seed, other images.
class Retraining {
 public:
  Retraining(const std::string& folder, data::Splits splits, Device& device)
      : original_(load_run(folder, device)), splits_(std::move(splits)), device_(device) {
    steps_ = original_.settings->run().steps;
  }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  std::int64_t steps() const { return steps_; }
  std::int64_t seed() const { return original_.settings->run().seed; }

  /// Accuracy on the real test images after training on `train`; the real validation images set the pace.
  double accuracy(const data::Dataset& train, const std::string& what) {
    const data::Splits splits = {train, splits_.validation, splits_.test};
    const TrainingInputs inputs{splits, static_cast<std::uint64_t>(seed()), device_, {}, {}, {}};
    const std::unique_ptr<nn::Trainable> trainable = original_.settings->recipe().make(inputs);
    auto& training = dynamic_cast<methods::ClassifierTraining&>(*trainable);
    Progress progress(0, steps_, training.images_per_step(), {});
    progress.say(fmt::format("retraining on {}: {} images, {} steps", what, train.size(), steps_));
    for (std::int64_t step = 1; step <= steps_; ++step) {
      const nn::LossTerms terms = training.train_step();
      for (const auto& [name, value] : terms) {
        if (std::isfinite(value)) continue;
        const std::string found = fmt::format("diverged at step {}: {} is {}", step, name, value);
        progress.say(found);
        throw Divergence(found);
      }
      progress.step(step, terms);
    }
    return methods::accuracy(training.classifier(), splits_.test, device_);
  }

 private:
  Run original_;
  data::Splits splits_;
  Device& device_;
  std::int64_t steps_ = 0;
};

/// Each class by itself, then all of them.
std::vector<std::vector<std::int32_t>> replacements(std::size_t classes) {
  std::vector<std::int32_t> all(classes);
  std::iota(all.begin(), all.end(), 0);
  std::vector<std::vector<std::int32_t>> each;
  for (const std::int32_t one : all) each.push_back({one});
  each.push_back(all);
  return each;
}

CrossedImages cross_shown(ExplainerRun& explained, const data::Dataset& train, const std::vector<std::string>& names) {
  cross(explained, train.subset({0}), names, [](std::int64_t) {});  // says what it cannot make before it begins
  Progress progress(0, train.size(), 1, {}, "image");
  progress.say(fmt::format("explaining {} training images", train.size()));
  return cross(explained, train, names, [&](std::int64_t done) { progress.step(done, {}); });
}

void print(const Substitutability& measured) {
  fmt::print("{} ({}, against {}): retrained {} steps, seed {}, tested on {} real images\n", measured.run,
             measured.method, measured.classifier, measured.steps, measured.seed, measured.test_images);
  fmt::print("  {:<40} {:.4f}  ({} images)\n", "real images, the ceiling", measured.ceiling, measured.train_images);
  for (const Substitutability::Row& row : measured.rows) {
    fmt::print("  {:<40} {:.4f}  {:.1f} % of the ceiling  ({} of {} images)\n",
               fmt::format("{} for {}", row.images, fmt::join(row.replaced, ", ")), row.accuracy,
               row.percent_of_ceiling, row.substitutes, row.train_images);
  }
}

}  // namespace

int substitutability_command(const SubstitutabilityArguments& arguments) {
  check_outputs({arguments.json});
  Device& device = open_device(arguments.where);
  ExplainerRun explained = load_explainer(arguments.run, device);
  const std::string folder = explained_classifier(explained, arguments.run);
  const data::Splits splits = splits_of(explained.run, arguments.run);
  Retraining retraining(folder, splits, device);
  if (arguments.steps > 0) retraining.set_steps(arguments.steps);

  std::vector<std::string> names = arguments.images;
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  const CrossedImages crossed = cross_shown(explained, splits.train, names);
  const std::vector<std::string>& classes = splits.train.class_names;
  Substitutability measured;
  measured.run = arguments.run.string();
  measured.method = explained.run.settings->kind().name;
  measured.classifier = folder;
  measured.steps = retraining.steps();
  measured.seed = retraining.seed();
  measured.train_images = splits.train.size();
  measured.test_images = splits.test.size();
  struct Planned {
    Substitutability::Row row;
    data::Dataset train;
  };
  std::vector<Planned> planned;  // all of them before the first training, so that what is missing is said at once
  for (const std::string& name : names) {
    for (const std::vector<std::int32_t>& replaced : replacements(classes.size())) {
      Planned& one = planned.emplace_back();
      one.train = substitute(splits.train, crossed.at(name), replaced);
      one.row.images = name;
      one.row.train_images = one.train.size();
      for (const std::int32_t label : replaced) {
        one.row.replaced.push_back(classes[static_cast<std::size_t>(label)]);
        one.row.substitutes += std::ranges::count(crossed.at(name).labels, label);
      }
    }
  }
  measured.ceiling = retraining.accuracy(splits.train, "real images");
  for (Planned& one : planned) {
    constexpr double kPercent = 100;
    one.row.accuracy = retraining.accuracy(
        one.train, fmt::format("{} images for those of {}", one.row.images, fmt::join(one.row.replaced, ", ")));
    one.row.percent_of_ceiling = kPercent * one.row.accuracy / measured.ceiling;
    measured.rows.push_back(one.row);
  }
  if (!arguments.json.empty()) write_text_atomically(arguments.json, to_json(measured));
  print(measured);
  return 0;
}

}  // namespace counterfoil::app
