#include "data/stb.h"

#include <cstdlib>
#include <utility>

namespace {

// A small file can ask for gigabytes of decompressed data; here it is refused.
void* bounded_malloc(std::size_t bytes) {
  return bytes <= counterfoil::data::stb::kMostBytes ? std::malloc(bytes) : nullptr;
}
void* bounded_realloc(void* data, std::size_t bytes) {
  return bytes <= counterfoil::data::stb::kMostBytes ? std::realloc(data, bytes) : nullptr;
}

}  // namespace

#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS counterfoil::data::stb::kLongestSide
#define STBI_MALLOC(size) bounded_malloc(size)
#define STBI_REALLOC(data, size) bounded_realloc(data, size)
#define STBI_FREE(data) std::free(data)
#include <stb/stb_image.h>

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_easy_font.h>
#include <stb/stb_image_write.h>

namespace counterfoil::data::stb {

bool info(const unsigned char* bytes, int length, int& width, int& height, int& channels) {
  return stbi_info_from_memory(bytes, length, &width, &height, &channels) != 0;
}

unsigned char* decode(const unsigned char* bytes, int length, int& width, int& height, int channels) {
  int found = 0;
  return stbi_load_from_memory(bytes, length, &width, &height, &found, channels);
}

void release(unsigned char* pixels) {
  std::free(pixels);
}

const char* failure() {
  const char* reason = stbi_failure_reason();
  return reason != nullptr ? reason : "no reason given";
}

std::vector<Rectangle> letters(std::string text) {
  struct Vertex {
    float x, y, z;
    unsigned char colour[4];
  };
  constexpr std::size_t kVertices = 160;  // for each letter; the font's own figure is 270 bytes on average
  std::vector<Vertex> vertices(kVertices * (text.size() + 1));
  const int quads = stb_easy_font_print(0, 0, text.data(), nullptr, vertices.data(),
                                        static_cast<int>(vertices.size() * sizeof(Vertex)));
  std::vector<Rectangle> strokes;
  for (std::size_t i = 0; i < static_cast<std::size_t>(quads); ++i) {
    const Vertex &first = vertices[4 * i], &opposite = vertices[4 * i + 2];
    strokes.push_back({static_cast<int>(first.x), static_cast<int>(first.y), static_cast<int>(opposite.x),
                       static_cast<int>(opposite.y)});
  }
  return strokes;
}

bool encode_png(Sink sink, void* context, int width, int height, int channels, const unsigned char* pixels) {
  return stbi_write_png_to_func(sink, context, width, height, channels, pixels, width * channels) != 0;
}

}  // namespace counterfoil::data::stb
