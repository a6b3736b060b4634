#pragma once

#include <cstddef>

// stb_image and stb_image_write as this project uses them: PNG and JPEG from memory, allocations of at most kMostBytes.

namespace counterfoil::data::stb {

inline constexpr std::size_t kMostBytes = std::size_t{256} << 20U;
inline constexpr int kLongestSide = 16384;

/// Reads width, height and channels without decoding; false with failure() set otherwise.
bool info(const unsigned char* bytes, int length, int& width, int& height, int& channels);
/// Decodes to `channels` channels; null with failure() set otherwise. release() it.
unsigned char* decode(const unsigned char* bytes, int length, int& width, int& height, int channels);
void release(unsigned char* pixels);
const char* failure();

using Sink = void (*)(void* context, void* data, int size);
bool encode_png(Sink sink, void* context, int width, int height, int channels, const unsigned char* pixels);

}  // namespace counterfoil::data::stb
