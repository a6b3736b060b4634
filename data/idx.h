#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace counterfoil::data {

/// An array of unsigned bytes as an IDX file holds it (LeCun's format for MNIST): two zero bytes, the element type
/// (08), the number of dimensions, each extent as 4 bytes big endian, the elements in row-major order.
struct IdxArray {
  std::vector<std::int64_t> extents;
  std::vector<std::uint8_t> values;
};

/// Reads an IDX file, gzipped or not, of 1 to 4 dimensions. Throws Error naming the file for anything else, for a
/// truncated file, bytes after the last element, damaged gzip data, or more than 4 GiB of elements. Nothing is
/// allocated before the file's length allows for it.
IdxArray read_idx(const std::filesystem::path& file);
/// The same from memory; `name` stands in the messages.
IdxArray read_idx(std::span<const std::uint8_t> bytes, const std::string& name);

/// The bytes of a file. Throws Error naming it when it cannot be read or is longer than `limit`.
std::vector<std::uint8_t> read_bytes(const std::filesystem::path& file, std::uint64_t limit);

}  // namespace counterfoil::data
