#include "tensor/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <fstream>
#include <limits>
#include <set>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include "tensor/atomic_file.h"
#include "tensor/nearest_name.h"

// The format (https://huggingface.co/docs/safetensors): 8 bytes, little endian, the length of a JSON header; the header
// {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, .., "__metadata__": {"key": "text", ..}};
// then the elements, at offsets counted from the header's end, without holes.

namespace counterfoil {

namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors files are little endian");

constexpr std::uint64_t kLongestHeader = std::uint64_t{16} << 20U;
constexpr std::size_t kMostValues = std::size_t{1} << 20U;  // of the header; each takes many times its text in memory
constexpr std::size_t kHeaderAlignment = 8;
constexpr const char* kMetadata = "__metadata__";

struct DTypeName {
  DType dtype;
  const char* name;
};
constexpr std::array<DTypeName, 6> kDTypes = {{{DType::f32, "F32"},
                                               {DType::f64, "F64"},
                                               {DType::bf16, "BF16"},
                                               {DType::u8, "U8"},
                                               {DType::i32, "I32"},
                                               {DType::i64, "I64"}}};

struct Entry {
  std::string name;
  TensorSpec spec;
  std::uint64_t begin = 0, end = 0;  // from the header's end
};

// Reads and checks one file; every complaint begins with its name.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(file) {}

  /// Everything before the elements, checked.
  TensorFileHeader read_header() {
    open();
    const json parsed = parse_header();
    TensorFileHeader header;
    for (const auto& [name, value] : parsed.items()) {
      if (name == kMetadata) {
        header.metadata = read_metadata(value);
      } else {
        entries_.push_back(read_entry(name, value));
        header.tensors.emplace(name, entries_.back().spec);
      }
    }
    sort_and_check_layout();
    header.data_bytes = data_length_;
    return header;
  }

  /// After the header.
  std::map<std::string, Tensor> read_tensors(Device& device) {
    std::map<std::string, Tensor> tensors;
    std::vector<char> bytes;
    for (const Entry& entry : entries_) {
      Tensor tensor = Tensor::empty(entry.spec.shape, entry.spec.dtype, device);
      bytes.resize(entry.end - entry.begin);
      read_bytes(bytes.data(), bytes.size());
      if (!bytes.empty()) device.copy_from_host(tensor.mutable_view().data, bytes.data(), bytes.size());
      tensors.emplace(entry.name, std::move(tensor));
    }
    return tensors;
  }

  template <typename... Args>
  [[noreturn]] void complain(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}: {}", file_.string(), fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  void open() {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(file_, error);
    if (!std::filesystem::exists(status)) complain("no such file");
    if (!std::filesystem::is_regular_file(status)) complain("expected a safetensors file, found no regular file");
    stream_.open(file_, std::ios::binary);
    length_ = std::filesystem::file_size(file_, error);
    if (!stream_ || error) complain("cannot be read");
  }

  void read_bytes(char* target, std::size_t count) {
    stream_.read(target, static_cast<std::streamsize>(count));
    if (static_cast<std::size_t>(stream_.gcount()) != count) complain("ended while it was read");
  }

  json parse_header() {
    if (length_ < sizeof(std::uint64_t)) complain("not a safetensors file: {} bytes, fewer than 8", length_);
    std::uint64_t header_length = 0;
    std::array<char, sizeof header_length> prefix{};
    read_bytes(prefix.data(), prefix.size());
    header_length = std::bit_cast<std::uint64_t>(prefix);
    if (header_length > kLongestHeader) {
      complain("not a safetensors file: a header of {} bytes, at most {} are read", header_length, kLongestHeader);
    }
    if (header_length > length_ - prefix.size()) {
      complain("truncated: a header of {} bytes in a file of {}", header_length, length_);
    }
    data_length_ = length_ - prefix.size() - header_length;

    std::string text(header_length, '\0');
    read_bytes(text.data(), text.size());
    // The parser keeps the last of two equal keys; a file with two is not to be trusted with either.
    std::vector<std::set<std::string>> keys;
    std::size_t values = 0;
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
      if (depth > 8) complain("not a safetensors file: its header is nested too deeply");
      if (++values > kMostValues) complain("its header holds more than {} values", kMostValues);
      if (event == json::parse_event_t::object_start) keys.emplace_back();
      if (event == json::parse_event_t::object_end) keys.pop_back();
      if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
        complain("malformed header: the key {} occurs twice", in_quotes(value.get<std::string>()));
      }
      return true;
    };
    json header;
    try {
      header = json::parse(text, watch);
    } catch (const json::parse_error& error) {
      complain("not a safetensors file: its header is no JSON (at byte {})", error.byte);
    }
    if (!header.is_object()) complain("not a safetensors file: its header is no JSON object");
    return header;
  }

  std::map<std::string, std::string> read_metadata(const json& value) const {
    if (!value.is_object()) complain("malformed header: {} is no object", kMetadata);
    std::map<std::string, std::string> metadata;
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) complain("malformed header: {} of {} is no string", in_quotes(key), kMetadata);
      metadata[key] = text.get<std::string>();
    }
    return metadata;
  }

  Entry read_entry(const std::string& name, const json& value) const {
    Entry entry;
    entry.name = name;
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets")) {
      complain("malformed header: {} has not the keys dtype, shape, data_offsets", in_quotes(name));
    }
    entry.spec.dtype = read_dtype(name, value["dtype"]);
    entry.spec.shape = read_shape(name, value["shape"]);

    const std::vector<std::uint64_t> offsets = read_numbers(name, "data_offsets", value["data_offsets"], 2);
    if (offsets.size() != 2) complain("malformed header: data_offsets of {} are not two numbers", in_quotes(name));
    entry.begin = offsets[0];
    entry.end = offsets[1];
    if (entry.begin > entry.end) complain("malformed header: {} ends before it begins", in_quotes(name));
    if (entry.end > data_length_) {
      complain("truncated: {} ends at byte {} of the data, which has {}", in_quotes(name), entry.end, data_length_);
    }
    const std::uint64_t expected = entry.spec.bytes();
    if (entry.end - entry.begin != expected) {
      complain("malformed header: {} of shape {} and dtype {} needs {} bytes, has {}", in_quotes(name),
               entry.spec.shape.to_string(), name_of(entry.spec.dtype), expected, entry.end - entry.begin);
    }
    return entry;
  }

  DType read_dtype(const std::string& name, const json& value) const {
    if (!value.is_string()) complain("malformed header: the dtype of {} is no string", in_quotes(name));
    const std::string text = value.get<std::string>();
    for (const DTypeName& known : kDTypes) {
      if (text == known.name) return known.dtype;
    }
    complain("{} has dtype {}, expected F32, F64, BF16, U8, I32 or I64", in_quotes(name), in_quotes(text));
  }

  Shape read_shape(const std::string& name, const json& value) const {
    const std::vector<std::uint64_t> numbers = read_numbers(name, "shape", value, kMaxRank);
    std::vector<std::int64_t> extents;
    for (const std::uint64_t number : numbers) {
      if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        complain("malformed header: the shape of {} is too large", in_quotes(name));
      }
      extents.push_back(static_cast<std::int64_t>(number));
    }
    try {
      return Shape(extents);
    } catch (const Error& error) {
      complain("{}: {}", in_quotes(name), error.what());
    }
  }

  std::vector<std::uint64_t> read_numbers(const std::string& name, const char* key, const json& value,
                                          std::size_t most) const {
    if (!value.is_array()) complain("malformed header: {} of {} is no array", key, in_quotes(name));
    if (value.size() > most) {
      complain("{} of {} has {} numbers, at most {} are read", key, in_quotes(name), value.size(), most);
    }
    std::vector<std::uint64_t> numbers;
    for (const json& number : value) {
      if (!number.is_number_unsigned()) {
        complain("malformed header: {} of {} holds something that is no whole number >= 0", key, in_quotes(name));
      }
      numbers.push_back(number.get<std::uint64_t>());
    }
    return numbers;
  }

  // Sorts the entries as they lie in the file: one after the other, from the first byte to the last.
  void sort_and_check_layout() {
    std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::uint64_t position = 0;
    for (const Entry& entry : entries_) {
      if (entry.begin < position) complain("malformed header: {} overlaps another tensor", in_quotes(entry.name));
      if (entry.begin > position) {
        complain("malformed header: nothing covers the {} bytes before {}", entry.begin - position,
                 in_quotes(entry.name));
      }
      position = entry.end;
    }
    if (position != data_length_) complain("{} bytes too many after the last tensor", data_length_ - position);
  }

  std::filesystem::path file_;
  std::ifstream stream_;
  std::uint64_t length_ = 0, data_length_ = 0;
  std::vector<Entry> entries_;  // as they lie in the file
};

const char* safetensors_name(DType dtype) {
  for (const DTypeName& known : kDTypes) {
    if (known.dtype == dtype) return known.name;
  }
  fail("safetensors: no name for dtype {}", name_of(dtype));
}

// In the order they are written: wide elements first, so that every tensor is aligned to its elements; then by name.
std::vector<std::pair<std::string, const Tensor*>> in_file_order(const std::map<std::string, Tensor>& tensors) {
  std::vector<std::pair<std::string, const Tensor*>> ordered;
  for (const auto& [name, tensor] : tensors) {
    if (name == kMetadata) fail("safetensors: a tensor cannot be named {}", kMetadata);
    if (!tensor.defined()) fail("safetensors: {} is undefined", in_quotes(name));
    ordered.emplace_back(name, &tensor);
  }
  std::ranges::stable_sort(
      ordered, [](const auto& a, const auto& b) { return size_of(a.second->dtype()) > size_of(b.second->dtype()); });
  return ordered;
}

}  // namespace

const Tensor& TensorFile::at(const std::string& name) const {
  const auto found = tensors.find(name);
  if (found != tensors.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [present, tensor] : tensors) names.push_back(present);
  if (names.empty()) fail("no tensor {}: there are none", in_quotes(name));
  fail("no tensor {}: the nearest of {} is {}", in_quotes(name), names.size(), in_quotes(nearest_name(name, names)));
}

TensorFileHeader read_safetensors_header(const std::filesystem::path& file) {
  return Reader(file).read_header();
}

TensorFile read_safetensors(const std::filesystem::path& file, Device& device,
                            const std::function<void(const TensorFileHeader&)>& accept) {
  Reader reader(file);
  TensorFileHeader header = reader.read_header();
  try {
    if (accept) accept(header);
  } catch (const Error& error) {
    reader.complain("{}", error.what());
  }
  return {reader.read_tensors(device), std::move(header.metadata)};
}

void write_safetensors(const std::filesystem::path& file, const TensorFile& contents) {
  const auto ordered = in_file_order(contents.tensors);
  json header = json::object();
  if (!contents.metadata.empty()) header[kMetadata] = contents.metadata;
  std::uint64_t position = 0;
  for (const auto& [name, tensor] : ordered) {
    const std::uint64_t end = position + tensor->bytes();
    header[name] = {{"dtype", safetensors_name(tensor->dtype())},
                    {"shape", tensor->shape().extents()},
                    {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::type_error&) {
    fail("cannot write {}: a name or a metadata text is no UTF-8", file.string());
  }
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  if (text.size() > kLongestHeader) {
    fail("cannot write {}: its header would have {} bytes, at most {} are read", file.string(), text.size(),
         kLongestHeader);
  }

  AtomicFile output(file);
  const auto header_length = std::bit_cast<std::array<char, sizeof(std::uint64_t)>>(std::uint64_t{text.size()});
  output.write(header_length.data(), header_length.size());
  output.write(text);
  std::vector<char> bytes;
  for (const auto& [name, tensor] : ordered) {
    bytes.resize(tensor->bytes());
    if (!bytes.empty()) tensor->device().copy_to_host(bytes.data(), tensor->view().data, bytes.size());
    output.write(bytes.data(), bytes.size());
  }
  output.commit();
}

void write_text_atomically(const std::filesystem::path& file, const std::string& text) {
  AtomicFile output(file);
  output.write(text);
  output.commit();
}

}  // namespace counterfoil
