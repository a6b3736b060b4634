#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "tensor/tensor_spec.h"

namespace counterfoil {

/// Named tensors and free-text metadata, as one safetensors file holds them.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor of that name; throws Error that names the nearest one present.
  const Tensor& at(const std::string& name) const;
};

/// What a safetensors file says before its elements.
struct TensorFileHeader {
  TensorSpecs tensors;
  std::map<std::string, std::string> metadata;
  std::uint64_t data_bytes = 0;  ///< of all elements
};

/// Reads a file's header. Throws Error with the file's name for anything malformed, truncated, overlapping, larger or
/// smaller than the file, of an unknown dtype, of more than 5 dimensions, or with a header above 16 MiB or 2^20 values.
TensorFileHeader read_safetensors_header(const std::filesystem::path& file);

/// Reads a safetensors file onto a device, or throws as above. `accept` sees the header before any memory is asked for;
/// where it throws Error, the file's name is put in front and nothing is read. The file is open from before it looks.
TensorFile read_safetensors(const std::filesystem::path& file, Device& device,
                            const std::function<void(const TensorFileHeader&)>& accept = {});

/// Writes the file whole or not at all: to a temporary name in the same folder, fsynced, renamed. The bytes depend on
/// the contents alone. Throws Error when the folder cannot be written or the disk is full, leaving no temporary file.
void write_safetensors(const std::filesystem::path& file, const TensorFile& contents);

/// Replaces a small text file in the same atomic way.
void write_text_atomically(const std::filesystem::path& file, const std::string& text);

}  // namespace counterfoil
