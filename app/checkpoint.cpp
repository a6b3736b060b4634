#include "app/checkpoint.h"

#include <charconv>

#include <fmt/format.h>
#include <zlib.h>

#include "kernels/error.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

using Tensors = std::map<std::string, Tensor>;

constexpr std::uint64_t kMostSteps = std::uint64_t{1} << 40U;  // as of the key steps

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

Tensors checkpoint_tensors(nn::TrainingState& state) {
  Tensors all;
  for (const auto& [name, module] : state.modules) add(all, module->state("model." + name + "."));
  for (const auto& [name, optimiser] : state.optimisers) add(all, optimiser->state("optimiser." + name + "."));
  return all;
}

Tensors model_tensors(nn::TrainingState& state) {
  Tensors all;
  for (const auto& [name, module] : state.modules) {
    if (!serves_training_only(name)) add(all, module->state(name + "."));
  }
  return all;
}

bool is_floating(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
}

// Whether a file holds the tensors that are expected, and no others; they may be of another floating dtype.
void check_tensors(const TensorSpecs& found, const TensorSpecs& expected) {
  std::vector<std::string> names;
  for (const auto& [name, spec] : expected) names.push_back(name);
  for (const auto& [name, spec] : found) {
    if (expected.contains(name)) continue;
    fail("the tensor {} belongs to nothing here{}", in_quotes(name),
         names.empty() ? "" : "; the nearest name is " + in_quotes(nearest_name(name, names)));
  }
  for (const auto& [name, spec] : expected) {
    const auto entry = found.find(name);
    if (entry == found.end()) fail("the tensor {} is missing", in_quotes(name));
    const auto& [dtype, shape] = entry->second;
    if (!(shape == spec.shape)) {
      fail("tensor {}: expected shape {}, found {}", in_quotes(name), spec.shape.to_string(), shape.to_string());
    }
    if (dtype != spec.dtype && !(is_floating(dtype) && is_floating(spec.dtype))) {
      fail("tensor {}: expected {}, found {}", in_quotes(name), name_of(spec.dtype), name_of(dtype));
    }
  }
}

}  // namespace

void save_checkpoint(const std::filesystem::path& file, nn::TrainingState& state, std::int64_t step,
                     Metadata metadata) {
  TensorFile contents;
  contents.tensors = checkpoint_tensors(state);
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
  std::vector<std::uint64_t> positions;
  const TensorFile contents = read_safetensors(file, device, [&](const TensorFileHeader& header) {
    check_tensors(header.tensors, specs_of(checkpoint_tensors(state)));
    for (const auto& [name, random] : state.randoms) {
      positions.push_back(read_number(header.metadata, "random." + name));
    }
    const std::uint64_t number = read_number(header.metadata, "step");
    if (number > kMostSteps) fail("'step': expected at most {}, found {}", kMostSteps, number);
    step = static_cast<std::int64_t>(number);
  });
  for (const auto& [name, module] : state.modules) module->load_state(contents.tensors, "model." + name + ".");
  for (const auto& [name, optimiser] : state.optimisers) {
    optimiser->load_state(contents.tensors, "optimiser." + name + ".");
  }
  for (std::size_t i = 0; i < positions.size(); ++i) state.randoms[i].second->seek(positions[i]);
  return step;
}

void save_model(const std::filesystem::path& file, nn::TrainingState& state, const Metadata& metadata) {
  write_safetensors(file, {model_tensors(state), metadata});
}

void load_model(const std::filesystem::path& file, nn::TrainingState& state, Device& device) {
  const TensorFile contents = read_safetensors(file, device, [&](const TensorFileHeader& header) {
    check_tensors(header.tensors, specs_of(model_tensors(state)));
  });
  for (const auto& [name, module] : state.modules) {
    if (!serves_training_only(name)) module->load_state(contents.tensors, name + ".");
  }
}

std::string weights_digest(nn::TrainingState& state) {
  uLong crc = 0;
  std::size_t size = 0;
  const auto take = [&](const void* bytes, std::size_t count) {
    crc = crc32_z(crc, static_cast<const Bytef*>(bytes), count);
  };
  std::vector<char> bytes;
  for (const auto& [name, tensor] : model_tensors(state)) {
    const std::string spec = fmt::format("{} {} {}\n", name, name_of(tensor.dtype()), tensor.shape().to_string());
    take(spec.data(), spec.size());
    bytes.resize(tensor.bytes());
    if (bytes.empty()) continue;
    tensor.device().copy_to_host(bytes.data(), tensor.view().data, bytes.size());
    take(bytes.data(), bytes.size());
    size += bytes.size();
  }
  return fmt::format("crc32 {:08x} of {} bytes", crc, size);
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
