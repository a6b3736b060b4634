#include "app/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "kernels/error.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

using Tensors = std::map<std::string, Tensor>;

bool serves_training_only(const std::string& module) {
  return module.starts_with("training.");
}

void add(Tensors& all, const Tensors& some) {
  for (const auto& [name, tensor] : some) {
    if (!all.emplace(name, tensor).second) fail("checkpoint: two parts are called {}", in_quotes(name));
  }
}

std::uint64_t read_number(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) fail("its metadata have no {}", in_quotes(key));
  const std::string& text = found->second;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail("{}: expected a whole number, found {}", in_quotes(key), in_quotes(text));
  }
  return number;
}

// Every tensor of the file belongs to one of the parts.
void check_prefixes(const Tensors& tensors, const std::vector<std::string>& prefixes) {
  for (const auto& [name, tensor] : tensors) {
    if (std::ranges::none_of(prefixes,
                             [&name = name](const std::string& prefix) { return name.starts_with(prefix); })) {
      fail("the tensor {} belongs to nothing here", in_quotes(name));
    }
  }
}

// Runs body with the file's contents; complaints begin with the file's name.
template <typename Body>
void with_file(const std::filesystem::path& file, Device& device, Body&& body) {
  const TensorFile contents = read_safetensors(file, device);
  try {
    body(contents);
  } catch (const Error& error) {
    fail("{}: {}", file.string(), error.what());
  }
}

}  // namespace

void save_checkpoint(const std::filesystem::path& file, nn::TrainingState& state, std::int64_t step,
                     Metadata metadata) {
  TensorFile contents;
  for (const auto& [name, module] : state.modules) add(contents.tensors, module->state("model." + name + "."));
  for (const auto& [name, optimiser] : state.optimisers) {
    add(contents.tensors, optimiser->state("optimiser." + name + "."));
  }
  metadata["step"] = std::to_string(step);
  for (const auto& [name, random] : state.randoms) {
    if (!metadata.emplace("random." + name, std::to_string(random->position())).second) {
      fail("checkpoint: two random streams are called {}", in_quotes(name));
    }
  }
  contents.metadata = std::move(metadata);
  write_safetensors(file, contents);
}

std::int64_t load_checkpoint(const std::filesystem::path& file, nn::TrainingState& state, Device& device) {
  std::int64_t step = 0;
  with_file(file, device, [&](const TensorFile& contents) {
    std::vector<std::string> prefixes;
    for (const auto& [name, module] : state.modules) prefixes.push_back("model." + name + ".");
    for (const auto& [name, optimiser] : state.optimisers) prefixes.push_back("optimiser." + name + ".");
    check_prefixes(contents.tensors, prefixes);
    for (const auto& [name, module] : state.modules) module->load_state(contents.tensors, "model." + name + ".");
    for (const auto& [name, optimiser] : state.optimisers) {
      optimiser->load_state(contents.tensors, "optimiser." + name + ".");
    }
    for (const auto& [name, random] : state.randoms) random->seek(read_number(contents.metadata, "random." + name));
    step = static_cast<std::int64_t>(read_number(contents.metadata, "step"));
  });
  return step;
}

void save_model(const std::filesystem::path& file, nn::TrainingState& state, const Metadata& metadata) {
  TensorFile contents;
  contents.metadata = metadata;
  for (const auto& [name, module] : state.modules) {
    if (!serves_training_only(name)) add(contents.tensors, module->state(name + "."));
  }
  write_safetensors(file, contents);
}

void load_model(const std::filesystem::path& file, nn::TrainingState& state, Device& device) {
  with_file(file, device, [&](const TensorFile& contents) {
    std::vector<std::string> prefixes;
    for (const auto& [name, module] : state.modules) {
      if (!serves_training_only(name)) prefixes.push_back(name + ".");
    }
    check_prefixes(contents.tensors, prefixes);
    for (const auto& [name, module] : state.modules) {
      if (!serves_training_only(name)) module->load_state(contents.tensors, name + ".");
    }
  });
}

bool is_finite(nn::TrainingState& state) {
  for (const auto& [name, module] : state.modules) {
    if (serves_training_only(name)) continue;
    for (const auto& [tensor_name, tensor] : module->state()) {
      if (tensor.dtype() == DType::f32 && !all_finite(tensor)) return false;
    }
  }
  return true;
}

}  // namespace counterfoil::app
