#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/checkpoint.h"
#include "app/config.h"
#include "app/run_directory.h"
#include "data/splits.h"

namespace counterfoil::app {

/// Settings with what is built from them.
struct Run {
  std::unique_ptr<Settings> settings;
  data::SplitSource data;  ///< of a run that was only loaded: no images, but extents and class names
  Device* device = nullptr;
  std::vector<std::shared_ptr<nn::Classifier>> classifiers;  ///< that the trainable thing refers to
  std::map<std::string, std::string> classifier_digests;     ///< of the weights of each, by run directory
  std::unique_ptr<nn::Trainable> trainable;
};

/// Opens the data and builds the trainable thing. Writes nothing.
Run build_run(std::unique_ptr<Settings> settings);

/// What model.safetensors and checkpoints carry beside their tensors: kind, version, extents, class names, settings,
/// and the digests of the classifiers' weights. (A latent_run is where training began; nothing depends on it later.)
Metadata metadata_of(const Run& run);

/// Throws Error when a classifier of the run is not the one that it had when `metadata` was written: trained again
/// since, or replaced. Metadata without digests say nothing, and nothing is thrown.
void check_classifiers(const Run& run, const Metadata& metadata);

/// Loads a finished run from its model.safetensors alone, to use it on `device`. Throws Error when it is not finished
/// or damaged, or its classifier is another one by now. What the file makes of memory is bounded by its size: networks
/// are built within 16 times that and 64 MiB, and its tensors read once they are those of the networks.
Run load_run(const std::filesystem::path& folder, Device& device);

/// A finished run of a classifier.
struct ClassifierRun {
  std::shared_ptr<Run> run;
  std::shared_ptr<nn::Classifier> classifier;  ///< keeps the run alive
  std::string digest;                          ///< of its weights
};
/// Throws Error as load_run() does, and when it is the run of anything else.
ClassifierRun load_classifier(const std::filesystem::path& folder, Device& device);

}  // namespace counterfoil::app
