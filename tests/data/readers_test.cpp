#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include "data/idx.h"
#include "data/image_file.h"
#include "data/image_folder.h"
#include "data/source.h"

namespace counterfoil::data {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

// A whole IDX file of unsigned bytes 0, 1, 2, ...
Bytes idx_bytes(const std::vector<std::uint32_t>& extents) {
  Bytes bytes = {0, 0, 8, static_cast<std::uint8_t>(extents.size())};
  std::size_t count = 1;
  for (const std::uint32_t extent : extents) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes.push_back(static_cast<std::uint8_t>(extent >> shift));
    count *= extent;
  }
  for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  return bytes;
}

Bytes gzipped(const Bytes& plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes packed(plain.size() + 1000);
  stream.next_in = const_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

std::string complaint(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

std::string idx_complaint(const Bytes& bytes) {
  return complaint([&] { (void)read_idx(bytes, "file"); });
}

std::string image_complaint(const Bytes& bytes) {
  return complaint([&] { (void)read_image(bytes, "file"); });
}

// Every truncation and many mutations of a valid file: it reads, or throws Error, on one line.
int refusals(const Bytes& valid, int rounds, const std::function<std::string(const Bytes&)>& try_read) {
  int refused = 0;
  std::mt19937_64 engine(7);
  const auto pick = [&](std::size_t bound) { return static_cast<std::size_t>(engine() % bound); };
  for (int round = 0; round < rounds; ++round) {
    Bytes mutated = valid;
    for (std::size_t changes = 1 + pick(3); changes > 0; --changes) {
      const std::size_t at = pick(mutated.size());
      const auto place = mutated.begin() + static_cast<std::ptrdiff_t>(at);
      switch (pick(5)) {
        case 0:
          *place = static_cast<std::uint8_t>(pick(256));
          break;
        case 1:
          mutated[pick(std::min<std::size_t>(mutated.size(), 40))] = static_cast<std::uint8_t>(pick(256));
          break;
        case 2:
          *place = static_cast<std::uint8_t>(*place ^ (1U << pick(8)));
          break;
        case 3:
          mutated.resize(std::max<std::size_t>(at, 1));
          break;
        default:
          mutated.insert(place, 1 + pick(8), static_cast<std::uint8_t>(pick(256)));
      }
    }
    const std::string message = try_read(mutated);
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    refused += message != "(no error)" ? 1 : 0;
  }
  return refused;
}

Image some_image(std::int64_t height, std::int64_t width, std::int64_t channels) {
  Image image{height, width, channels, {}};
  for (std::int64_t i = 0; i < height * width * channels; ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>((i * 37 + i / 7) % 256));
  }
  return image;
}

Bytes png_bytes(const Image& image) {
  const std::string text = encode_png(image);
  return {text.begin(), text.end()};
}

// A grey 8 x 8 baseline JPEG whose every pixel is 128: one block without coefficients.
Bytes jpeg_bytes() {
  Bytes bytes = {0xFF, 0xD8, 0xFF, 0xDB, 0x00, 0x43, 0x00};
  bytes.insert(bytes.end(), 64, 1);
  const Bytes frame = {0xFF, 0xC0, 0x00, 0x0B, 8, 0, 8, 0, 8, 1, 1, 0x11, 0};
  bytes.insert(bytes.end(), frame.begin(), frame.end());
  for (const int table : {0x00, 0x10}) {
    const Bytes huffman = {
        0xFF, 0xC4, 0x00, 0x14, static_cast<std::uint8_t>(table), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    bytes.insert(bytes.end(), huffman.begin(), huffman.end());
  }
  const Bytes scan = {0xFF, 0xDA, 0x00, 0x08, 1, 1, 0x00, 0, 63, 0, 0x3F, 0xFF, 0xD9};
  bytes.insert(bytes.end(), scan.begin(), scan.end());
  return bytes;
}

TEST(Idx, ReadsPlainGzippedAndJoinedGzip) {
  const Bytes plain = idx_bytes({2, 3, 4});
  const Bytes head(plain.begin(), plain.begin() + 10), tail(plain.begin() + 10, plain.end());
  Bytes joined = gzipped(head);
  const Bytes second = gzipped(tail);
  joined.insert(joined.end(), second.begin(), second.end());
  for (const Bytes& bytes : {plain, gzipped(plain), joined}) {
    const IdxArray array = read_idx(bytes, "file");
    EXPECT_EQ(array.extents, (std::vector<std::int64_t>{2, 3, 4}));
    ASSERT_EQ(array.values.size(), 24u);
    EXPECT_EQ(array.values[23], 23);
  }
}

TEST(Idx, EachFaultHasItsLine) {
  Bytes bytes = idx_bytes({2, 3});
  EXPECT_THAT(idx_complaint({}), HasSubstr("file: not an IDX file: only 0 bytes"));
  EXPECT_THAT(idx_complaint({0x89, 'P', 'N', 'G'}), HasSubstr("begins with 89 50 4e 47"));
  bytes[2] = 0x0D;
  EXPECT_THAT(idx_complaint(bytes), HasSubstr("type 0d, expected 08"));
  bytes[2] = 8;
  bytes[3] = 9;
  EXPECT_THAT(idx_complaint(bytes), HasSubstr("9 dimensions"));
  bytes[3] = 2;
  bytes.pop_back();
  EXPECT_THAT(idx_complaint(bytes), HasSubstr("truncated: 6 elements expected"));
  bytes.resize(14, 0);
  bytes.resize(20, 0);
  EXPECT_THAT(idx_complaint(bytes), HasSubstr("bytes after the last of 6 elements"));
  EXPECT_THAT(idx_complaint({0, 0, 8, 1, 0}), HasSubstr("truncated within the IDX header"));
  // Refused by its extents alone: neither 2^48 bytes nor 4 GiB from 12 bytes are ever allocated.
  EXPECT_THAT(idx_complaint({0, 0, 8, 2, 1, 0, 0, 0, 1, 0, 0, 0}), HasSubstr("at most 4294967296"));
  EXPECT_THAT(idx_complaint({0, 0, 8, 1, 0xFF, 0xFF, 0xFF, 0xFF}), HasSubstr("truncated"));

  Bytes packed = gzipped(idx_bytes({20, 20}));
  packed[packed.size() - 6] = static_cast<std::uint8_t>(packed[packed.size() - 6] ^ 1U);  // of the checksum
  EXPECT_THAT(idx_complaint(packed), HasSubstr("damaged gzip data"));
  packed = gzipped(idx_bytes({20, 20}));
  packed.resize(packed.size() / 2);
  EXPECT_THAT(idx_complaint(packed), HasSubstr("truncated gzip data"));
  packed = gzipped(idx_bytes({20, 20}));
  packed.push_back('x');
  EXPECT_THAT(idx_complaint(packed), HasSubstr("no gzip data after the end"));
}

TEST(Idx, MutatedFilesReadOrThrow) {
  EXPECT_GT(refusals(idx_bytes({3, 5, 4}), 6000, idx_complaint), 2000);
  EXPECT_GT(refusals(gzipped(idx_bytes({30, 8, 8})), 6000, idx_complaint), 4000);
}

TEST(ImageFile, PngRoundTrips) {
  for (const std::int64_t channels : {1, 3}) {
    const Image image = some_image(5, 7, channels);
    const Image back = read_image(png_bytes(image), "file");
    EXPECT_EQ(back.height, 5);
    EXPECT_EQ(back.width, 7);
    EXPECT_EQ(back.channels, channels);
    EXPECT_EQ(back.pixels, image.pixels);
  }
}

TEST(ImageFile, ReadsJpeg) {
  const Image image = read_image(jpeg_bytes(), "file");
  EXPECT_EQ(image.channels, 1);
  EXPECT_EQ(image.pixels, Bytes(64, 128));
}

TEST(ImageFile, EachFaultHasItsLine) {
  const Bytes png = png_bytes(some_image(20, 20, 3)), jpeg = jpeg_bytes();
  EXPECT_THAT(image_complaint({}), HasSubstr("neither a PNG nor a JPEG"));
  EXPECT_THAT(image_complaint({'G', 'I', 'F', '8', '9', 'a'}), HasSubstr("neither a PNG nor a JPEG"));
  for (std::size_t length = 8; length < png.size(); ++length) {
    EXPECT_THAT(image_complaint(Bytes(png.begin(), png.begin() + static_cast<std::ptrdiff_t>(length))),
                HasSubstr("truncated PNG"));
  }
  for (std::size_t length = 3; length < jpeg.size(); ++length) {
    EXPECT_THAT(image_complaint(Bytes(jpeg.begin(), jpeg.begin() + static_cast<std::ptrdiff_t>(length))),
                HasSubstr("truncated JPEG"));
  }
  Bytes damaged = png;
  damaged[60] = static_cast<std::uint8_t>(damaged[60] ^ 1U);
  EXPECT_THAT(image_complaint(damaged), HasSubstr("wrong checksum"));
}

TEST(ImageFile, HugeExtentsAreRefusedBeforeDecoding) {
  Bytes png = png_bytes(some_image(4, 4, 1));
  png[16] = 0x00, png[17] = 0x00, png[18] = 0x30, png[19] = 0x00;  // width 12288
  png[20] = 0x00, png[21] = 0x00, png[22] = 0x30, png[23] = 0x00;  // height 12288
  const auto crc = static_cast<std::uint32_t>(crc32(0, png.data() + 12, 17));
  for (std::size_t i = 0; i < 4; ++i) png[29 + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
  EXPECT_THAT(image_complaint(png), HasSubstr("12288 x 12288 pixels"));
}

// Fixes the checksums of mutated PNG chunks, so that the damage reaches the decoder.
Bytes with_right_checksums(Bytes png) {
  std::size_t at = 8;
  while (at + 12 <= png.size()) {
    const std::size_t length =
        std::size_t{png[at]} << 24U | std::size_t{png[at + 1]} << 16U | std::size_t{png[at + 2]} << 8U | png[at + 3];
    if (length > png.size() - at - 12) break;
    const auto crc = static_cast<std::uint32_t>(crc32(0, png.data() + at + 4, static_cast<uInt>(length + 4)));
    for (std::size_t i = 0; i < 4; ++i) png[at + 8 + length + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
    at += 12 + length;
  }
  return png;
}

TEST(ImageFile, MutatedFilesReadOrThrow) {
  const Bytes png = png_bytes(some_image(9, 11, 3));
  EXPECT_GT(refusals(png, 3000, image_complaint), 2000);
  EXPECT_GT(refusals(png, 3000, [](const Bytes& bytes) { return image_complaint(with_right_checksums(bytes)); }), 500);
  EXPECT_GT(refusals(jpeg_bytes(), 3000, image_complaint), 500);
}

class Folder : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& name, const Bytes& bytes) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  std::string source_complaint(const std::string& spec) const {
    return complaint([&] { (void)open_source(spec); });
  }

  fs::path folder_ = fs::temp_directory_path() / ("counterfoil_readers_" + std::to_string(::getpid()));
};

TEST_F(Folder, Mnist10kIsInsideTheProgram) {
  const Source source = open_source("mnist10k");
  EXPECT_EQ(source.train.size(), 8000);
  EXPECT_EQ(source.test.size(), 2000);
  // The counts of data/mnist10k/README.md.
  std::array<int, 10> counts{};
  for (const Dataset* part : {&source.train, &source.test}) {
    for (const std::int32_t label : part->labels) ++counts[static_cast<std::size_t>(label)];
  }
  EXPECT_THAT(counts, testing::ElementsAre(1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978));
}

TEST_F(Folder, ClassesAreChosenInTheirOrder) {
  const Source all = open_source("mnist10k"), some = open_source("mnist10k:8,3");
  EXPECT_EQ(some.train.class_names, (std::vector<std::string>{"8", "3"}));
  ASSERT_EQ(some.train.size(), static_cast<std::int64_t>(some.train_places.size()));
  for (std::size_t i = 0; i < some.train_places.size(); ++i) {
    const std::int32_t digit = all.train.labels[static_cast<std::size_t>(some.train_places[i])];
    EXPECT_EQ(some.train.labels[i], digit == 8 ? 0 : 1);
    ASSERT_TRUE(digit == 8 || digit == 3);
  }
  const auto first = some.train.pixels.begin(), place = all.train.pixels.begin() + some.train_places[0] * 784;
  EXPECT_TRUE(std::equal(first, first + 784, place));
}

TEST_F(Folder, ColouredDigitsKeepTheirColourWhicheverClassesAreChosen) {
  const Source grey = open_source("mnist10k"), all = open_source("coloured-mnist10k"),
               some = open_source("coloured-mnist10k:8,3");
  EXPECT_EQ(all.test.channels, 3);
  EXPECT_EQ(all.train.labels, grey.train.labels);
  std::array<int, 3> images_of_colour{};
  for (std::size_t i = 0; i < all.test.labels.size(); ++i) {
    std::array<int, 3> sums{};
    for (std::size_t p = 0; p < 784; ++p) {
      for (std::size_t c = 0; c < 3; ++c) sums[c] += all.test.pixels[(i * 784 + p) * 3 + c];
    }
    const auto brightest = std::ranges::max_element(sums);
    EXPECT_EQ(*brightest, sums[0] + sums[1] + sums[2]);
    ++images_of_colour[static_cast<std::size_t>(brightest - sums.begin())];
  }
  for (const int count : images_of_colour) EXPECT_NEAR(count, 2000 / 3, 100);
  const auto first = some.train.pixels.begin(), place = all.train.pixels.begin() + some.train_places[0] * 784 * 3;
  EXPECT_TRUE(std::equal(first, first + 784 * 3, place));
}

TEST_F(Folder, FashionMnistKnowsItsClasses) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) GTEST_SKIP() << "needs the package dataset-fashion-mnist";
  const Source source = open_source("fashion-mnist:coat,pullover");
  EXPECT_EQ(source.train.size(), 12000);
  EXPECT_EQ(source.test.size(), 2000);
  EXPECT_EQ(source.train_file_size, 60000);
  EXPECT_THAT(source_complaint("fashion-mnist:coat,pulover"), HasSubstr("the nearest is 'pullover'"));
}

TEST_F(Folder, IdxFoldersGzippedOrNotWithAnyUsualName) {
  write("train-images-idx3-ubyte", idx_bytes({4, 2, 2}));
  write("train-labels-idx1-ubyte.gz", gzipped(idx_bytes({4})));
  const Source untested = open_source("idx:" + folder_.string());
  EXPECT_EQ(untested.train.size(), 4);
  EXPECT_EQ(untested.test.size(), 0);
  EXPECT_EQ(untested.train.class_names, (std::vector<std::string>{"0", "1", "2", "3"}));
  write("t10k-images.idx3-ubyte", idx_bytes({3, 2, 2}));
  write("t10k-labels.idx1-ubyte", idx_bytes({3}));
  const Source source = open_source("idx:" + folder_.string() + ":1,2");
  EXPECT_EQ(source.train.size(), 2);
  EXPECT_EQ(source.test.size(), 2);
  EXPECT_EQ(source.train.pixels, (Bytes{4, 5, 6, 7, 8, 9, 10, 11}));
}

TEST_F(Folder, FaultySourcesHaveTheirLine) {
  EXPECT_THAT(source_complaint("mnist:3,8"), HasSubstr("the nearest is 'mnist10k'"));
  EXPECT_THAT(source_complaint("coloured-mnst10k"), HasSubstr("the nearest is 'coloured-mnist10k'"));
  EXPECT_THAT(source_complaint("mnist10k:3,x"), HasSubstr("no class 'x'"));
  EXPECT_THAT(source_complaint("mnist10k:3,3"), HasSubstr("named twice"));
  EXPECT_THAT(source_complaint("mnist10k:3"), HasSubstr("at least two classes"));
  EXPECT_THAT(source_complaint("mnist10k:"), HasSubstr("at least two classes"));
  EXPECT_THAT(source_complaint("mnist10k:3,8+sqare=8"), HasSubstr("changes are +square, +few and +side"));
  EXPECT_THAT(source_complaint("idx:"), HasSubstr("expected idx:DIR"));
  EXPECT_THAT(source_complaint("idx::3,8"), HasSubstr("expected idx:DIR"));
  EXPECT_THAT(source_complaint("idx:/nowhere:3,8"), HasSubstr("/nowhere: no such folder"));
  EXPECT_THAT(source_complaint("idx:" + folder_.string()), HasSubstr("no IDX images found"));
  write("train-images-idx3-ubyte", idx_bytes({4, 2, 2}));
  EXPECT_THAT(source_complaint("idx:" + folder_.string()), HasSubstr("there is no train-labels-idx1-ubyte beside it"));
  write("train-labels-idx1-ubyte", idx_bytes({3}));
  EXPECT_THAT(source_complaint("idx:" + folder_.string()), HasSubstr("4 images, but 3 labels"));
  write("train-labels-idx1-ubyte", idx_bytes({4, 1, 1}));
  EXPECT_THAT(source_complaint("idx:" + folder_.string()), HasSubstr("the labels have 3 dimensions"));
}

TEST_F(Folder, PicturesInFoldersByClass) {
  write("cat/1.png", png_bytes(some_image(4, 6, 1)));
  write("dog/1.png", png_bytes(some_image(4, 6, 3)));
  write("dog/2.png", png_bytes(some_image(4, 6, 3)));
  const Source source = open_source("images:" + folder_.string());
  EXPECT_EQ(source.train.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(source.train.labels, (std::vector<std::int32_t>{0, 1, 1}));
  EXPECT_EQ(source.train.channels, 3);
  write("dog/3.png", png_bytes(some_image(5, 6, 3)));
  EXPECT_THAT(source_complaint("images:" + folder_.string()), HasSubstr("dog/3.png: 5 x 6 pixels, but"));
  write("dog/3.png", {'x'});
  EXPECT_THAT(source_complaint("images:" + folder_.string()), HasSubstr("neither a PNG nor a JPEG"));
}

}  // namespace
}  // namespace counterfoil::data
