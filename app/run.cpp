#include "app/run.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/ranges.h>

#include "kernels/error.h"
#include "kernels/route.h"
#include "methods/classifier_training.h"
#include "methods/one_against_all.h"
#include "tensor/allocation_limit.h"
#include "tensor/nearest_name.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

// What networks may take while a file's are built, with optimisers and all that initialisers need in between.
constexpr std::size_t kPerByte = 16, kAnyway = std::size_t{64} << 20U;

constexpr const char* kDigest = "weights of ";  // before the run directory of a classifier

const std::vector<std::string>& class_names_of(const ClassifierRun& opened) {
  return opened.run->data.splits.train.class_names;
}

// The named class, as class 1, against all the others.
std::shared_ptr<nn::Classifier> against_all(const ClassifierRun& opened, const std::string& folder,
                                            const std::string& name) {
  const auto found = std::ranges::find(class_names_of(opened), name);
  if (found == class_names_of(opened).end()) {
    fail("{}: it knows no class {}; its classes are {}", folder, in_quotes(name),
         fmt::join(class_names_of(opened), ", "));
  }
  return std::make_shared<methods::OneAgainstAll>(opened.classifier,
                                                  static_cast<int>(found - class_names_of(opened).begin()));
}

// Which class is which, in --target and in every page and picture, is said by the names of the data's classes. A
// classifier of other images is refused here, and not when a method first asks it.
void check_classifier(const ClassifierRun& opened, const std::string& folder, const Run& run) {
  const data::Dataset& train = run.data.splits.train;
  if (class_names_of(opened) != train.class_names) {
    fail("{}: its classes are {}, those of the data {}", folder, fmt::join(class_names_of(opened), ", "),
         fmt::join(train.class_names, ", "));
  }
  try {
    if (train.size() > 0) opened.classifier->decisions(train.images({0}, *run.device));
  } catch (const Error& error) {
    fail("{}: {}", folder, error.what());
  }
}

void make_trainable(Run& run) {
  const auto open = [&run](const std::string& folder) {
    const AllocationLimit apart(std::numeric_limits<std::size_t>::max());  // the size of its own file bounds it
    ClassifierRun opened = load_classifier(folder, *run.device);
    check_classifier(opened, folder, run);
    run.classifier_digests[folder] = opened.digest;
    return opened;
  };
  const auto open_classifier = [&](const std::string& folder) -> nn::Classifier& {
    return *run.classifiers.emplace_back(open(folder).classifier);
  };
  const auto open_one_against_all = [&](const std::string& folder, const std::string& name) -> nn::Classifier& {
    return *run.classifiers.emplace_back(against_all(open(folder), folder, name));
  };
  const auto with_run = [&run](const std::string& folder, const std::function<void(nn::Trainable&)>& use) {
    const Run other = load_run(folder, *run.device);
    try {
      use(*other.trainable);
    } catch (const Error& error) {
      fail("{}: {}", folder, error.what());
    }
  };
  const TrainingInputs inputs{run.data.splits,      static_cast<std::uint64_t>(run.settings->run().seed),
                              *run.device,          open_classifier,
                              open_one_against_all, with_run};
  run.trainable = run.settings->recipe().make(inputs);
}

const std::string& entry(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) fail("not the model of a run: its metadata have no {}", in_quotes(key));
  return found->second;
}

std::int64_t extent(const Metadata& metadata, const char* key) {
  const std::string& text = entry(metadata, key);
  constexpr std::int64_t kMost = 65536;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > kMost) {
    fail("{}: expected 1 to {}, found {}", in_quotes(key), kMost, in_quotes(text));
  }
  return value;
}

data::Dataset without_images(const Metadata& metadata) {
  data::Dataset dataset;
  dataset.height = extent(metadata, "height");
  dataset.width = extent(metadata, "width");
  dataset.channels = extent(metadata, "channels");
  const std::string& names = entry(metadata, "classes");
  std::size_t begin = 0;
  while (begin <= names.size()) {
    const std::size_t end = std::min(names.find('\n', begin), names.size());
    dataset.class_names.push_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return dataset;
}

}  // namespace

Run build_run(std::unique_ptr<Settings> settings) {
  Run run;
  run.settings = std::move(settings);
  const RunConfig& config = run.settings->run();
  run.device = &open_device(config.device, config.route);
  run.data = data::split(data::open_source(config.data), {config.split, static_cast<std::uint64_t>(config.split_seed)});
  make_trainable(run);
  return run;
}

Metadata metadata_of(const Run& run) {
  const data::Dataset& train = run.data.splits.train;
  Metadata metadata = {{"format", "counterfoil"},
                       {"version", version()},
                       {"kind", run.settings->kind().name},
                       {"height", std::to_string(train.height)},
                       {"width", std::to_string(train.width)},
                       {"channels", std::to_string(train.channels)},
                       {"classes", fmt::format("{}", fmt::join(train.class_names, "\n"))},
                       {"config", run.settings->to_toml(true)}};
  for (const auto& [folder, digest] : run.classifier_digests) metadata[kDigest + folder] = digest;
  return metadata;
}

void check_classifiers(const Run& run, const Metadata& metadata) {
  for (const auto& [folder, digest] : run.classifier_digests) {
    const auto found = metadata.find(kDigest + folder);
    if (found == metadata.end() || found->second == digest) continue;
    fail(
        "the classifier {} is another one by now (its weights were {}, are {}): train this run again with another "
        "--out, or put that classifier back",
        in_quotes(folder), found->second, digest);
  }
}

Run load_run(const std::filesystem::path& folder, Device& device) {
  const RunDirectory directory(folder);
  if (!std::filesystem::exists(folder)) fail("{}: no such run directory", folder.string());
  if (!std::filesystem::exists(directory.model())) {
    fail("{}: no model.safetensors there; its training has not ended", folder.string());
  }
  const auto [tensors, metadata, data_bytes] = read_safetensors_header(directory.model());
  Run run;
  run.device = &device;
  try {
    run.settings = std::make_unique<Settings>(kind_named(entry(metadata, "kind")));
    run.settings->read_toml(entry(metadata, "config"), "its config");
    const data::Dataset empty = without_images(metadata);
    run.data.splits = {empty, empty, empty};
    const AllocationLimit limit(kPerByte * data_bytes + kAnyway);
    make_trainable(run);
    check_classifiers(run, metadata);
  } catch (const Error& error) {
    fail("{}: {}", directory.model().string(), error.what());
  }
  load_model(directory.model(), run.trainable->training_state(), device);
  return run;
}

ClassifierRun load_classifier(const std::filesystem::path& folder, Device& device) {
  if (folder.empty()) fail("classifier: expected the run directory of a trained classifier, found none");
  const auto run = std::make_shared<Run>(load_run(folder, device));
  auto* training = dynamic_cast<methods::ClassifierTraining*>(run->trainable.get());
  if (training == nullptr) {
    fail("{}: expected a classifier's run, found one of {}", folder.string(), run->settings->kind().name);
  }
  return {run, {run, &training->classifier()}, weights_digest(run->trainable->training_state())};
}

}  // namespace counterfoil::app
