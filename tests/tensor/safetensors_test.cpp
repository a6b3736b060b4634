#include "tensor/safetensors.h"

#include <algorithm>
#include <bit>
#include <csignal>
#include <fstream>
#include <iterator>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tensor/allocation_limit.h"

namespace counterfoil {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Safetensors : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("counterfoil_safetensors_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    file_ = folder_ / "x.safetensors";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string bytes_of(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write_bytes(const std::string& bytes) const {
    fs::remove(file_);  // some file systems flush a file that is cut and written again
    std::ofstream(file_, std::ios::binary) << bytes;
  }

  static std::string with_header(const std::string& header, const std::string& data) {
    const auto length = std::bit_cast<std::array<char, 8>>(std::uint64_t{header.size()});
    return std::string(length.begin(), length.end()) + header + data;
  }

  // The message of the one Error that reading must throw.
  std::string complaint() const {
    try {
      (void)read_safetensors(file_, reference_device());
    } catch (const Error& error) {
      return error.what();
    }
    return "(no error)";
  }
  std::string complaint_about(const std::string& header, const std::string& data) const {
    write_bytes(with_header(header, data));
    return complaint();
  }

  TensorFile some_contents() const {
    Device& device = reference_device();
    TensorFile contents;
    contents.metadata = {{"format", "pt"}, {"note", "line one\nline two \xC3\xA9"}};
    contents.tensors["encoder.0.weight"] =
        Tensor::from(std::vector<float>{1.5F, -0.0F, 3e-42F, -7}, Shape{2, 2}, device);
    contents.tensors["double"] = Tensor::from(std::vector<double>{0.1, 1e300}, Shape{2}, device);
    contents.tensors["bytes"] = Tensor::from(std::vector<std::uint8_t>{0, 127, 255}, Shape{3, 1, 1}, device);
    contents.tensors["int"] = Tensor::from(std::vector<std::int32_t>{-1, 2147483647}, Shape{1, 2}, device);
    contents.tensors["long"] = Tensor::from(std::vector<std::int64_t>{-(std::int64_t{1} << 62)}, Shape{}, device);
    contents.tensors["none"] = Tensor::from(std::vector<float>{}, Shape{4, 0, 2}, device);
    Tensor half = Tensor::empty(Shape{2}, DType::bf16, device);
    const std::array<std::uint16_t, 2> bits = {0x3F80, 0xC049};
    device.copy_from_host(half.mutable_view().data, bits.data(), sizeof bits);
    contents.tensors["half"] = half;
    return contents;
  }

  fs::path folder_, file_;
};

std::vector<char> raw(const Tensor& tensor) {
  std::vector<char> bytes(tensor.bytes());
  if (!bytes.empty()) tensor.device().copy_to_host(bytes.data(), tensor.view().data, bytes.size());
  return bytes;
}

TEST_F(Safetensors, EveryDTypeComesBackBitForBit) {
  const TensorFile written = some_contents();
  write_safetensors(file_, written);
  const TensorFile read = read_safetensors(file_, reference_device());
  EXPECT_EQ(read.metadata, written.metadata);
  ASSERT_EQ(read.tensors.size(), written.tensors.size());
  for (const auto& [name, tensor] : written.tensors) {
    const Tensor& back = read.at(name);
    EXPECT_EQ(back.shape(), tensor.shape()) << name;
    EXPECT_EQ(back.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(raw(back), raw(tensor)) << name;
  }
}

TEST_F(Safetensors, SameContentsSameBytes) {
  write_safetensors(file_, some_contents());
  const std::string first = bytes_of(file_);
  write_safetensors(file_, read_safetensors(file_, reference_device()));
  EXPECT_EQ(bytes_of(file_), first);
}

// The bytes themselves, so that other tools can read what is written: header padded with spaces to a multiple of 8.
TEST_F(Safetensors, WritesTheFormat) {
  TensorFile contents;
  contents.tensors["b"] = Tensor::from(std::vector<std::uint8_t>{7, 8}, Shape{2}, reference_device());
  contents.tensors["c"] = Tensor::from(std::vector<float>{1}, Shape{1, 1}, reference_device());
  write_safetensors(file_, contents);
  std::string header =
      R"({"b":{"data_offsets":[4,6],"dtype":"U8","shape":[2]},"c":{"data_offsets":[0,4],"dtype":"F32","shape":[1,1]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(bytes_of(file_), with_header(header, std::string("\x00\x00\x80\x3F\x07\x08", 6)));
}

TEST_F(Safetensors, ReadsWhatAnotherToolWrote) {
  const TensorFile golden =
      read_safetensors(fs::path(COUNTERFOIL_SOURCE_DIR) / "tests/golden/linear.safetensors", reference_device());
  EXPECT_FALSE(golden.tensors.empty());
}

TEST_F(Safetensors, NamesTheNearestTensor) {
  const TensorFile contents = some_contents();
  try {
    (void)contents.at("encoder.0.wieght");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'encoder.0.weight'"));
  }
}

TEST_F(Safetensors, EachFaultHasItsLine) {
  EXPECT_THAT(complaint(), HasSubstr("no such file"));
  write_bytes("\x89PNG");
  EXPECT_THAT(complaint(), HasSubstr("not a safetensors file: 4 bytes"));
  write_bytes("\x89PNG\r\n\x1a\n and a lot more of it");
  EXPECT_THAT(complaint(), HasSubstr("not a safetensors file: a header of"));
  write_bytes(std::string("\x64\0\0\0\0\0\0\0{}", 10));
  EXPECT_THAT(complaint(), HasSubstr("truncated: a header of 100 bytes in a file of 10"));
  EXPECT_THAT(complaint_about("{\"a\":", ""), HasSubstr("no JSON"));
  EXPECT_THAT(complaint_about("[1]", ""), HasSubstr("no JSON object"));
  EXPECT_THAT(complaint_about(std::string(100000, '['), ""), HasSubstr("nested too deeply"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abc"),
              HasSubstr("truncated: 'a' ends at byte 4 of the data, which has 3"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcde"),
              HasSubstr("1 bytes too many"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "abcd"),
              HasSubstr("needs 8 bytes, has 4"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", "a"),
              HasSubstr("dtype 'F8_E4M3', expected F32"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1],"data_offsets":[0,1]}})", "a"),
              HasSubstr("at most 5"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "a"),
              HasSubstr("no whole number"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", ""),
              HasSubstr("too large"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}})", "ab"),
              HasSubstr("ends before it begins"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                              R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                              "abc"),
              HasSubstr("'b' overlaps"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "ab"),
              HasSubstr("nothing covers the 1 bytes before 'a'"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                              R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                              "a"),
              HasSubstr("'a' occurs twice"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"U8","shape":[1]}})", ""), HasSubstr("has not the keys"));
  EXPECT_THAT(complaint_about(R"({"__metadata__":{"a":1}})", ""), HasSubstr("is no string"));
}

TEST_F(Safetensors, ComplaintsAreOneLine) {
  const std::string message =
      complaint_about("{\"a\\nb\":{\"dtype\":\"X\\r\\n\",\"shape\":[1],\"data_offsets\":[0,1]}}", "a");
  EXPECT_EQ(message.find_first_of("\n\r"), std::string::npos) << message;
  EXPECT_THAT(message, HasSubstr(R"('a\x0ab')"));
}

TEST_F(Safetensors, HugeHeaderIsRefusedUnread) {
  write_bytes(with_header("{}", ""));
  fs::resize_file(file_, std::uintmax_t{64} << 20U);  // sparse
  std::fstream stream(file_, std::ios::in | std::ios::out | std::ios::binary);
  const auto length = std::bit_cast<std::array<char, 8>>(std::uint64_t{32} << 20U);
  stream.write(length.data(), 8);
  stream.close();
  EXPECT_THAT(complaint(), HasSubstr("at most 16777216 are read"));
}

// Every truncation and thousands of mutations of a valid file: it reads, or throws Error; never anything else.
TEST_F(Safetensors, MutatedFilesReadOrThrow) {
  write_safetensors(file_, some_contents());
  const std::string valid = bytes_of(file_);
  for (std::size_t length = 0; length < valid.size(); ++length) {
    write_bytes(valid.substr(0, length));
    EXPECT_NE(complaint(), "(no error)") << length;
  }
  std::mt19937_64 engine(1);
  const auto pick = [&](std::size_t bound) { return static_cast<std::size_t>(engine() % bound); };
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string mutated = valid;
    for (std::size_t changes = 1 + pick(3); changes > 0; --changes) {
      const std::size_t header = std::min<std::size_t>(mutated.size(), 700);
      const std::size_t at = pick(header);
      switch (pick(4)) {
        case 0:
          mutated[at] = static_cast<char>(pick(256));
          break;
        case 1:
          mutated[at] = "0123456789{}[]\",:-"[pick(18)];
          break;
        case 2:
          mutated.erase(at, 1 + pick(8));
          break;
        default:
          mutated.insert(at, mutated.substr(pick(header), 1 + pick(16)));
      }
    }
    write_bytes(mutated);
    refused += complaint() != "(no error)" ? 1 : 0;
  }
  EXPECT_GT(refused, 2000);
}

// Headers that are well formed and lie: dtypes, shapes and offsets of any size. A file that reads holds what it says,
// and memory is asked for no more than that.
TEST_F(Safetensors, MadeUpClaimsReadOrThrowWithinTheFile) {
  std::mt19937_64 engine(1);
  const auto pick = [&](std::size_t bound) { return static_cast<std::uint64_t>(engine() % bound); };
  const std::string data(48, 'x');
  const std::array<std::uint64_t, 8> large = {49,
                                              4096,
                                              std::uint64_t{1} << 31U,
                                              std::uint64_t{1} << 32U,
                                              (std::uint64_t{1} << 60U) + 1,
                                              (std::uint64_t{1} << 62U),
                                              (std::uint64_t{1} << 63U) - 1,
                                              ~std::uint64_t{0}};
  const auto number = [&](std::uint64_t likely) { return pick(12) > 0 ? likely : large[pick(large.size())]; };
  const std::array<std::pair<const char*, std::uint64_t>, 4> dtypes = {
      {{"U8", 1}, {"BF16", 2}, {"F32", 4}, {"I64", 8}}};
  int read = 0;
  Device& device = reference_device();
  for (int round = 0; round < 3000; ++round) {
    std::string header;
    std::uint64_t begin = 0;
    for (std::size_t tensor = 0; begin < data.size(); ++tensor) {
      const auto& [dtype, size] = dtypes[pick(dtypes.size())];
      const std::uint64_t most = (data.size() - begin) / size;
      const std::uint64_t extent = most == 0 ? 0 : 1 + pick(most);
      const std::uint64_t end = pick(4) > 0 || extent == 0 ? data.size() : begin + extent * size;
      header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{},{}],"data_offsets":[{},{}]}})", tensor == 0 ? "" : ",",
                            tensor, dtype, number(1), number((end - begin) / size), number(begin), number(end));
      begin = end;
    }
    write_bytes(with_header("{" + header + "}", data));
    device.reset_high_water();
    const std::size_t before = device.memory_use().in_use;
    try {
      const TensorFile contents = read_safetensors(file_, device);
      std::size_t bytes = 0;
      for (const auto& [name, tensor] : contents.tensors) bytes += tensor.bytes();
      EXPECT_EQ(bytes, data.size()) << header;
      ++read;
    } catch (const Error&) {
      EXPECT_EQ(device.memory_use().high_water, before) << header;
    }
  }
  EXPECT_GT(read, 300);
  EXPECT_LT(read, 2700);
}

TEST_F(Safetensors, NothingIsAskedForUntilTheHeaderIsAccepted) {
  const std::uint64_t length = std::uint64_t{64} << 30U;
  const std::string header =
      fmt::format(R"({{"a":{{"dtype":"U8","shape":[{}],"data_offsets":[0,{}]}}}})", length, length);
  write_bytes(with_header(header, ""));
  fs::resize_file(file_, 8 + header.size() + length);  // sparse
  EXPECT_EQ(read_safetensors_header(file_).data_bytes, length);
  Device& device = reference_device();
  device.reset_high_water();
  const std::size_t before = device.memory_use().in_use;
  try {
    (void)read_safetensors(file_, device, [](const TensorFileHeader& found) {
      EXPECT_EQ(found.tensors.at("a").shape, Shape{std::int64_t{64} << 30U});
      fail("not wanted");
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), file_.string() + ": not wanted");
  }
  EXPECT_EQ(device.memory_use().high_water, before);
}

TEST_F(Safetensors, HeadersOfTooManyValuesAreRefused) {
  std::string values = "1";
  for (int i = 0; i < 1 << 20; ++i) values += ",1";
  EXPECT_THAT(complaint_about("{\"a\":[" + values + "]}", ""), HasSubstr("holds more than 1048576 values"));
}

TEST(AllocationLimit, CountsWhatIsMadeWithinIt) {
  const auto make = [](std::int64_t bytes) { return Tensor::empty(Shape{bytes}, DType::u8, reference_device()); };
  const AllocationLimit limit(100);
  make(60);
  EXPECT_THROW(make(41), Error);
  {
    const AllocationLimit inner(1000);
    make(1000);
    EXPECT_THROW(make(1), Error);
  }
  make(40);
  EXPECT_THROW(make(1), Error);
}

TEST_F(Safetensors, DiskFullLeavesWhatWasThere) {
  TensorFile small;
  small.tensors["kept"] = Tensor::from(std::vector<float>{1, 2}, Shape{2}, reference_device());
  write_safetensors(file_, small);
  const std::string before = bytes_of(file_);
  TensorFile large;
  large.tensors["lost"] = Tensor::from(std::vector<float>(1 << 16), Shape{1 << 16}, reference_device());

  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit tight{100000, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  std::string message;
  try {
    write_safetensors(file_, large);
  } catch (const Error& error) {
    message = error.what();
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);

  EXPECT_THAT(message, HasSubstr("cannot write " + file_.string()));
  EXPECT_EQ(bytes_of(file_), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(Safetensors, RefusesWhatIsNoRegularFile) {
  EXPECT_THROW(write_text_atomically(folder_, "x"), Error);
  EXPECT_THROW(write_text_atomically("/dev/full", "x"), Error);
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
  EXPECT_THROW(write_text_atomically(folder_ / "missing" / "x", "x"), Error);
  EXPECT_THROW((void)read_safetensors(folder_, reference_device()), Error);
}

TEST_F(Safetensors, WritesThroughASymbolicLink) {
  write_bytes("old");
  fs::create_symlink(file_, folder_ / "link");
  write_text_atomically(folder_ / "link", "new");
  EXPECT_EQ(bytes_of(file_), "new");
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
}

}  // namespace
}  // namespace counterfoil
