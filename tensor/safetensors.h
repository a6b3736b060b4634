#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tensor/tensor.h"

namespace counterfoil {

/// Named tensors and free-text metadata, as one safetensors file holds them.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor of that name; throws Error that names the nearest one present.
  const Tensor& at(const std::string& name) const;
};

/// Reads a safetensors file onto a device. Throws Error with the file's name for anything malformed, truncated,
/// overlapping, larger than the file, of an unknown dtype, of more than 5 dimensions, or with a header above 16 MiB;
/// nothing is allocated for a tensor before its extent has been checked against the file's length.
TensorFile read_safetensors(const std::filesystem::path& file, Device& device);

/// Writes the file whole or not at all: to a temporary name in the same folder, fsynced, renamed. The bytes depend on
/// the contents alone. Throws Error when the folder cannot be written or the disk is full, leaving no temporary file.
void write_safetensors(const std::filesystem::path& file, const TensorFile& contents);

/// Replaces a small text file in the same atomic way.
void write_text_atomically(const std::filesystem::path& file, const std::string& text);

}  // namespace counterfoil
