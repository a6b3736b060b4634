#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "nn/trainable.h"

namespace counterfoil::app {

using Metadata = std::map<std::string, std::string>;

/// Writes everything a run needs to go on: modules under "model.<module>.<name>", optimisers under
/// "optimiser.<optimiser>.<name>", the positions of the random streams ("random.<name>") and the step in the metadata,
/// which `metadata` joins. Whole or not at all; the bytes depend on the state alone.
void save_checkpoint(const std::filesystem::path& file, nn::TrainingState& state, std::int64_t step, Metadata metadata);
/// Puts all of it back and returns the step. Throws Error naming the file when anything is missing, of another shape,
/// or not expected, before any tensor is read.
std::int64_t load_checkpoint(const std::filesystem::path& file, nn::TrainingState& state, Device& device);

/// Writes the networks alone, under "<module>.<name>"; a module called "training.<...>" only serves training and stays
/// out.
void save_model(const std::filesystem::path& file, nn::TrainingState& state, const Metadata& metadata);
void load_model(const std::filesystem::path& file, nn::TrainingState& state, Device& device);

/// A digest of what save_model() writes of the networks: names, shapes and bits.
std::string weights_digest(nn::TrainingState& state);

/// Whether every parameter and buffer is finite.
bool is_finite(nn::TrainingState& state);

}  // namespace counterfoil::app
