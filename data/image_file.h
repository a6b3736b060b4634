#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace counterfoil::data {

/// 8-bit pixels [H,W,C], C = 1 (grey) or 3 (RGB).
struct Image {
  std::int64_t height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;
};

/// Reads a PNG or JPEG file; transparency is dropped, 16 bits become 8. Throws Error naming the file for another
/// format, damaged or truncated data, more than 64 MiB of file, a side above 16384 or more than 2^24 pixels; all of
/// this is known before the pixels are decoded.
Image read_image(const std::filesystem::path& file);
/// The same from memory; `name` stands in the messages.
Image read_image(std::span<const std::uint8_t> bytes, const std::string& name);

/// The image as the bytes of a PNG file; they depend on the image alone.
std::string encode_png(const Image& image);
/// Writes encode_png() whole or not at all.
void write_png(const std::filesystem::path& file, const Image& image);

}  // namespace counterfoil::data
