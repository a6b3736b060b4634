#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "app/commands.h"
#include "app/run.h"
#include "app/training_loop.h"
#include "kernels/device.h"
#include "kernels/error.h"
#include "methods/classifier_training.h"
#include "nn/graph_step.h"
#include "tensor/nearest_name.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

std::string flag_of(std::string key) {
  std::ranges::replace(key, '_', '-');
  return "--" + key;
}

void read_arguments(Settings& settings, const TrainArguments& arguments) {
  if (!arguments.config.empty()) settings.read_toml_file(arguments.config);
  for (const auto& [key, text] : arguments.flags) {
    try {
      settings.keys().set_text(key, text);
    } catch (const Error& error) {
      const std::string message = error.what();  // begins with the key's name
      fail("{}{}", flag_of(key), message.starts_with(key) ? message.substr(key.size()) : ": " + message);
    }
  }
}

// The settings of the run that is continued, with what may be changed changed.
std::unique_ptr<Settings> resumed_settings(const Kind& kind, const RunDirectory& run, const TrainArguments& arguments) {
  const auto stored = std::make_unique<Settings>(kind);
  stored->read_toml_file(run.config());
  auto wanted = std::make_unique<Settings>(kind);
  wanted->read_toml_file(run.config());
  read_arguments(*wanted, arguments);
  for (const nn::Keys::Key& key : wanted->keys().list()) {
    const nn::KeyValue before = stored->keys().at(key.name).value();
    if (key.value() != before && !Settings::may_change_on_resume(key.name)) {
      fail("{} cannot be changed on --resume: {} has {}, asked for {}", key.name, run.config().string(),
           nn::to_text(before), nn::to_text(key.value()));
    }
  }
  return wanted;
}

std::unique_ptr<Settings> resolve_settings(const RunDirectory& run, const TrainArguments& arguments) {
  const Kind& kind = kind_named(arguments.kind);
  if (std::filesystem::exists(run.config())) {
    if (!arguments.resume) {
      fail("{} holds a run already: continue it with --resume or choose another --out", run.folder().string());
    }
    return resumed_settings(kind, run, arguments);
  }
  for (const std::filesystem::path& file : {run.checkpoint(), run.model(), run.metrics()}) {
    if (std::filesystem::exists(file)) {
      fail("{} is there, but no config.toml beside it to say what it is of: choose another --out", file.string());
    }
  }
  auto settings = std::make_unique<Settings>(kind);
  read_arguments(*settings, arguments);
  return settings;
}

void check_data(const RunDirectory& directory, const Run& run) {
  if (!std::filesystem::exists(directory.splits())) return;
  std::ifstream stream(directory.splits(), std::ios::binary);
  const std::string stored{std::istreambuf_iterator<char>(stream), {}};
  if (stored != run.data.description) {
    fail("{}: the data are not those that the run began with", directory.splits().string());
  }
}

// The step that the run has reached, with everything of it put back.
std::int64_t load_progress(const RunDirectory& directory, Run& run) {
  if (!std::filesystem::exists(directory.checkpoint())) return 0;
  const Metadata metadata = read_safetensors_header(directory.checkpoint()).metadata;
  try {
    check_classifiers(run, metadata);
  } catch (const Error& error) {
    fail("{}: {}", directory.checkpoint().string(), error.what());
  }
  const std::int64_t reached = load_checkpoint(directory.checkpoint(), run.trainable->training_state(), *run.device);
  const std::int64_t steps = run.settings->run().steps;
  if (reached > steps) {
    fail("--steps: {} were asked for, {} is of step {}", steps, directory.checkpoint().string(), reached);
  }
  return reached;
}

void say_accuracy(Run& run, Progress& progress) {
  auto* training = dynamic_cast<methods::ClassifierTraining*>(run.trainable.get());
  if (training == nullptr) return;
  const data::Dataset& test = run.data.splits.test;
  progress.say(fmt::format("accuracy on the {} test images: {:.4f}", test.size(),
                           methods::accuracy(training->classifier(), test, *run.device)));
}

// Trains what the directory and the run are ready for; complaints are the caller's to tidy up after.
int train_in(const RunDirectory& directory, Run& run, const TrainingPlan& plan,
             std::chrono::steady_clock::time_point began) {
  catch_stop_signals();
  write_text_atomically(directory.config(), run.settings->to_toml());
  write_text_atomically(directory.splits(), run.data.description);
  const RunConfig& config = run.settings->run();
  Progress progress(plan.start, plan.steps, run.trainable->images_per_step(), directory.log());
  progress.say(fmt::format("counterfoil {}: {} {} on {}", version(), plan.start > 0 ? "resuming" : "training",
                           run.settings->kind().name, run.device->description()));
  const data::Splits& splits = run.data.splits;
  progress.say(fmt::format("{} ({}): {} images to train, {} to validate, {} to test; steps {} to {}", config.data,
                           config.split, splits.train.size(), splits.validation.size(), splits.test.size(), plan.start,
                           plan.steps));
  const Metadata metadata = metadata_of(run);
  const auto since_began = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  const TrainingCost before = read_cost(directory).value_or(TrainingCost{});
  try {
    const std::int64_t reached = train(*run.trainable, directory, plan, metadata, progress);
    write_cost(directory, {reached, before.seconds + since_began(),
                           std::max(before.peak_memory, run.device->memory_use().high_water)});
    if (reached < plan.steps) {
      progress.say(fmt::format("stopped at step {}; the same command with --resume goes on from there", reached));
      constexpr int kSignalStatus = 128;
      return kSignalStatus + stop_signal();
    }
  } catch (const Divergence& divergence) {
    progress.say(divergence.what());
    throw;
  }
  save_model(directory.model(), run.trainable->training_state(), metadata);
  say_accuracy(run, progress);
  progress.say(peak_memory_text(*run.device));
  progress.say(fmt::format("{} in {}", directory.model().string(), duration_text(since_began())));
  return 0;
}

}  // namespace

int train_command(const TrainArguments& arguments) {
  const auto began = std::chrono::steady_clock::now();
  if (arguments.out.empty()) fail("--out: expected the folder that the run shall be written to");
  const RunDirectory directory(arguments.out);
  // What is there is locked before it is read. A new folder is made when everything else is known to be right.
  const bool existed = std::filesystem::is_directory(directory.folder());
  std::optional<RunLock> lock;
  if (existed) lock.emplace(directory);
  const bool begun = std::filesystem::exists(directory.config());
  auto settings = resolve_settings(directory, arguments);
  const RunConfig config = settings->run();
  if (config.threads > 0) set_thread_count(static_cast<int>(config.threads));
  Run run = build_run(std::move(settings));
  if (arguments.cuda_graph) nn::GraphStep(*run.trainable, *run.device);  // before anything is written
  check_data(directory, run);
  const TrainingPlan plan{load_progress(directory, run), config.steps, config.checkpoint_every, config.stop_on_collapse,
                          arguments.cuda_graph ? run.device : nullptr};
  directory.create();
  if (!lock) {
    lock.emplace(directory);
    if (std::filesystem::exists(directory.config()))
      fail("{}: another process began a run there", directory.folder().string());
  }
  try {
    return train_in(directory, run, plan, began);
  } catch (const Divergence&) {
    throw;
  } catch (const std::exception&) {
    if (!begun && !directory.holds_steps()) directory.remove(!existed);
    throw;
  }
}

}  // namespace counterfoil::app
