#pragma once

#include <filesystem>
#include <memory>
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
  std::unique_ptr<nn::Trainable> trainable;
};

/// Opens the data and builds the trainable thing. Writes nothing.
Run build_run(std::unique_ptr<Settings> settings);

/// What model.safetensors and checkpoints carry beside their tensors: kind, version, extents, class names, settings.
Metadata metadata_of(const Run& run);

/// Loads a finished run from its model.safetensors alone, to use it on `device`. Throws Error when it is not finished
/// or damaged.
Run load_run(const std::filesystem::path& folder, Device& device);

}  // namespace counterfoil::app
