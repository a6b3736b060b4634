#pragma once

#include <cstddef>
#include <string>
#include <vector>

// stb_image and stb_image_write as this project uses them: PNG and JPEG from memory, allocations of at most kMostBytes;
// and the letters of stb_easy_font.

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

/// Pixels left <= x < right, top <= y < bottom.
struct Rectangle {
  int left, top, right, bottom;
};
/// The strokes of a line of printable ASCII, its letters about 7 wide and 10 high with the upper left corner at 0, 0.
std::vector<Rectangle> letters(std::string text);

}  // namespace counterfoil::data::stb
