#include "data/image_file.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <string_view>

#include <zlib.h>

#include "data/idx.h"
#include "data/stb.h"
#include "kernels/error.h"
#include "tensor/atomic_file.h"

namespace counterfoil::data {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint64_t kLargestFile = std::uint64_t{64} << 20U;
constexpr std::int64_t kMostPixels = std::int64_t{1} << 24U;
constexpr std::array<std::uint8_t, 8> kPngSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::array<std::uint8_t, 3> kJpegSignature = {0xFF, 0xD8, 0xFF};

template <std::size_t N>
bool begins_with(Bytes bytes, const std::array<std::uint8_t, N>& signature) {
  return bytes.size() >= N && std::equal(signature.begin(), signature.end(), bytes.begin());
}

std::uint32_t big_endian(Bytes bytes) {
  return std::uint32_t{bytes[0]} << 24U | std::uint32_t{bytes[1]} << 16U | std::uint32_t{bytes[2]} << 8U | bytes[3];
}

// The decoder looks at neither checksums nor at the end of the file. A PNG file is its signature and chunks: length,
// type, data, CRC of type and data; the last is IEND.
void check_png(Bytes bytes, const std::string& name) {
  Bytes rest = bytes.subspan(kPngSignature.size());
  bool ended = false;
  while (!ended) {
    constexpr std::size_t kFrame = 12;  // length, type and CRC
    if (rest.size() < kFrame || big_endian(rest) > rest.size() - kFrame) fail("{}: truncated PNG file", name);
    const std::size_t length = big_endian(rest);
    const auto crc = static_cast<std::uint32_t>(crc32(0, rest.data() + 4, static_cast<uInt>(length + 4)));
    if (crc != big_endian(rest.subspan(length + 8))) {
      fail("{}: damaged PNG file: wrong checksum at byte {}", name, bytes.size() - rest.size());
    }
    ended = std::string_view(reinterpret_cast<const char*>(rest.data() + 4), 4) == "IEND";
    rest = rest.subspan(kFrame + length);
  }
}

// Neither does it notice that a JPEG file stops early: the last scan must be followed by the end marker, which
// entropy-coded data cannot contain.
void check_jpeg(Bytes bytes, const std::string& name) {
  constexpr std::array<std::uint8_t, 2> scan = {0xFF, 0xDA}, end = {0xFF, 0xD9};
  const auto last_scan = std::find_end(bytes.begin(), bytes.end(), scan.begin(), scan.end());
  if (std::search(last_scan, bytes.end(), end.begin(), end.end()) == bytes.end()) {
    fail("{}: truncated JPEG file", name);
  }
}

}  // namespace

Image read_image(Bytes bytes, const std::string& name) {
  if (bytes.size() > kLargestFile) fail("{}: {} bytes, at most {} are read", name, bytes.size(), kLargestFile);
  const bool png = begins_with(bytes, kPngSignature);
  if (!png && !begins_with(bytes, kJpegSignature)) fail("{}: neither a PNG nor a JPEG file", name);
  if (png) {
    check_png(bytes, name);
  } else {
    check_jpeg(bytes, name);
  }
  const char* format = png ? "PNG" : "JPEG";
  const auto length = static_cast<int>(bytes.size());
  int width = 0, height = 0, channels = 0;
  if (!stb::info(bytes.data(), length, width, height, channels)) {
    fail("{}: damaged {} file ({})", name, format, stb::failure());
  }
  if (width < 1 || height < 1 || width > stb::kLongestSide || height > stb::kLongestSide ||
      std::int64_t{width} * height > kMostPixels) {
    fail("{}: {} x {} pixels, at most {} a side and {} together are read", name, width, height, stb::kLongestSide,
         kMostPixels);
  }
  const int wanted = channels <= 2 ? 1 : 3;
  const std::unique_ptr<unsigned char, void (*)(unsigned char*)> pixels(
      stb::decode(bytes.data(), length, width, height, wanted), stb::release);
  if (!pixels) fail("{}: damaged {} file ({})", name, format, stb::failure());
  return {height, width, wanted, {pixels.get(), pixels.get() + std::int64_t{width} * height * wanted}};
}

Image read_image(const std::filesystem::path& file) {
  return read_image(read_bytes(file, kLargestFile), file.string());
}

std::string encode_png(const Image& image) {
  if (image.height < 1 || image.width < 1 || image.height > stb::kLongestSide || image.width > stb::kLongestSide ||
      (image.channels != 1 && image.channels != 3) ||
      static_cast<std::int64_t>(image.pixels.size()) != image.height * image.width * image.channels) {
    fail("png: cannot write {} x {} x {} from {} bytes", image.height, image.width, image.channels,
         image.pixels.size());
  }
  std::string bytes;
  const auto append = [](void* context, void* data, int size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  if (!stb::encode_png(append, &bytes, static_cast<int>(image.width), static_cast<int>(image.height),
                       static_cast<int>(image.channels), image.pixels.data())) {
    fail("png: cannot encode {} x {} x {}", image.height, image.width, image.channels);
  }
  return bytes;
}

void write_png(const std::filesystem::path& file, const Image& image) {
  AtomicFile output(file);
  output.write(encode_png(image));
  output.commit();
}

}  // namespace counterfoil::data
