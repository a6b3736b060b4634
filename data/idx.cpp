#include "data/idx.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>

#include <fmt/ranges.h>
#include <zlib.h>

#include "kernels/error.h"

namespace counterfoil::data {

namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 32U;
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 32U;
constexpr std::uint64_t kLargestDeflateRatio = 1032;  // of zlib's format
constexpr std::uint8_t kUnsignedByte = 0x08;

// The decompressed bytes, in order, of gzip members one after the other, or of plain bytes.
class ByteStream {
 public:
  ByteStream(std::span<const std::uint8_t> bytes, const std::string& name)
      : rest_(bytes), name_(name), gzipped_(is_gzip(bytes)) {
    constexpr int kGzipWindow = 15 + 16;
    if (gzipped_ && inflateInit2(&inflater_, kGzipWindow) != Z_OK) fail("{}: zlib cannot start", name_);
  }
  ~ByteStream() {
    if (gzipped_) inflateEnd(&inflater_);
  }
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  /// The most bytes that may still come.
  std::uint64_t bound() const { return gzipped_ ? rest_.size() * kLargestDeflateRatio + 1024 : rest_.size(); }

  /// Fills target as far as there are bytes; returns how many came.
  std::size_t read(std::span<std::uint8_t> target) {
    if (gzipped_) return inflate_into(target);
    const std::size_t count = std::min(target.size(), rest_.size());
    std::copy_n(rest_.begin(), count, target.begin());
    rest_ = rest_.subspan(count);
    return count;
  }

 private:
  static bool is_gzip(std::span<const std::uint8_t> bytes) {
    return bytes.size() >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
  }

  std::size_t inflate_into(std::span<std::uint8_t> target) {
    std::size_t count = 0;
    while (count < target.size() && !ended_) {
      constexpr std::size_t kMostAtOnce = std::numeric_limits<uInt>::max();
      const std::size_t input = std::min(rest_.size(), kMostAtOnce);
      const std::size_t output = std::min(target.size() - count, kMostAtOnce);
      inflater_.next_in = const_cast<Bytef*>(rest_.data());
      inflater_.avail_in = static_cast<uInt>(input);
      inflater_.next_out = target.data() + count;
      inflater_.avail_out = static_cast<uInt>(output);
      const int status = inflate(&inflater_, Z_NO_FLUSH);
      const std::size_t consumed = input - inflater_.avail_in;
      const std::size_t produced = output - inflater_.avail_out;
      rest_ = rest_.subspan(consumed);
      count += produced;
      if (status == Z_STREAM_END) {
        if (rest_.empty()) {
          ended_ = true;
        } else if (!is_gzip(rest_) || inflateReset(&inflater_) != Z_OK) {
          fail("{}: {} bytes that are no gzip data after the end", name_, rest_.size());
        }
      } else if (status == Z_BUF_ERROR || (status == Z_OK && consumed == 0 && produced == 0)) {
        fail("{}: truncated gzip data", name_);
      } else if (status != Z_OK) {
        fail("{}: damaged gzip data ({})", name_, inflater_.msg != nullptr ? inflater_.msg : "no reason given");
      }
    }
    return count;
  }

  std::span<const std::uint8_t> rest_;
  const std::string& name_;
  const bool gzipped_;
  bool ended_ = false;
  z_stream inflater_{};
};

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{}{:02x}", text.empty() ? "" : " ", byte);
  return text;
}

std::vector<std::int64_t> read_extents(ByteStream& stream, std::size_t dimensions, const std::string& name) {
  std::vector<std::int64_t> extents;
  for (std::size_t i = 0; i < dimensions; ++i) {
    std::array<std::uint8_t, 4> bytes{};
    if (stream.read(bytes) != bytes.size()) fail("{}: truncated within the IDX header", name);
    std::int64_t extent = 0;
    for (const std::uint8_t byte : bytes) extent = extent << 8 | byte;
    extents.push_back(extent);
  }
  return extents;
}

}  // namespace

IdxArray read_idx(std::span<const std::uint8_t> bytes, const std::string& name) {
  ByteStream stream(bytes, name);
  std::array<std::uint8_t, 4> magic{};
  const std::size_t found = stream.read(magic);
  if (found < magic.size()) fail("{}: not an IDX file: only {} bytes", name, found);
  if (magic[0] != 0 || magic[1] != 0) {
    fail("{}: not an IDX file: it begins with {}, expected 00 00 08", name, hexadecimal(magic));
  }
  if (magic[2] != kUnsignedByte) {
    fail("{}: IDX elements of type {:02x}, expected 08 (unsigned bytes)", name, magic[2]);
  }
  if (magic[3] < 1 || magic[3] > 4) fail("{}: IDX array of {} dimensions, expected 1 to 4", name, magic[3]);

  IdxArray array;
  array.extents = read_extents(stream, magic[3], name);
  std::uint64_t count = 1;
  for (const std::int64_t extent : array.extents) {
    const auto factor = static_cast<std::uint64_t>(extent);
    if (factor != 0 && count > kMostElements / factor) {
      fail("{}: IDX array of extents {}, at most {} elements are read", name, fmt::join(array.extents, " x "),
           kMostElements);
    }
    count *= factor;
  }
  if (count > stream.bound()) {
    fail("{}: truncated: {} elements expected, at most {} can follow", name, count, stream.bound());
  }
  array.values.resize(count);
  const std::size_t read = stream.read(array.values);
  if (read < count) fail("{}: truncated: {} elements expected, {} found", name, count, read);
  // Reading past the end also makes zlib check the last member's length and checksum.
  std::array<std::uint8_t, 1> extra{};
  if (stream.read(extra) > 0) fail("{}: bytes after the last of {} elements", name, count);
  return array;
}

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& file, std::uint64_t limit) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status)) fail("{}: no such file", file.string());
  if (!std::filesystem::is_regular_file(status)) fail("{}: expected a regular file", file.string());
  const std::uint64_t length = std::filesystem::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  if (!stream || error) fail("{}: cannot be read", file.string());
  if (length > limit) fail("{}: {} bytes, at most {} are read", file.string(), length, limit);
  std::vector<std::uint8_t> bytes(length);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(length));
  if (static_cast<std::uint64_t>(stream.gcount()) != length) fail("{}: ended while it was read", file.string());
  return bytes;
}

IdxArray read_idx(const std::filesystem::path& file) {
  return read_idx(read_bytes(file, kLargestFile), file.string());
}

}  // namespace counterfoil::data
