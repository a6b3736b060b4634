#include "app/attribution_file.h"

#include "kernels/error.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"

namespace counterfoil::app {

namespace {

constexpr std::uint64_t kLargest = std::uint64_t{1} << 32U;  // bytes of a file's tensors

void check_size(const TensorFileHeader& header) {
  if (header.data_bytes > kLargest) fail("tensors of {} bytes, expected at most {}", header.data_bytes, kLargest);
}

void check(const TensorSpecs& tensors, const char* name, DType dtype, const Shape& shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return;
  if (found->second.dtype == dtype && found->second.shape == shape) return;
  fail("'{}': expected {} {}, found {} {}", name, name_of(dtype), shape.to_string(), name_of(found->second.dtype),
       found->second.shape.to_string());
}

// What the tensors are called in a file.
struct Names {
  const char* attribution = "attribution";
  const char* against = "against";
  const char* baseline = "baseline";
};

Names names_in(const TensorSpecs& tensors) {
  const bool of_explain = !tensors.contains("attribution") && tensors.contains("map");
  return of_explain ? Names{"map", "target", "counterfactual"} : Names{};
}

void check_header(const TensorFileHeader& header) {
  const TensorSpecs& tensors = header.tensors;
  const Names names = names_in(tensors);
  for (const char* name : {"input", names.attribution}) {
    if (!tensors.contains(name)) fail("it has no tensor '{}'", name);
  }
  const Shape& shape = tensors.at("input").shape;
  if (shape.rank() != 4 || shape[0] < 1) fail("'input': expected [N,H,W,C], found {}", shape.to_string());
  const Shape map{shape[0], shape[1], shape[2], 1};
  const bool is_map = tensors.at(names.attribution).shape == map;
  check(tensors, names.attribution, DType::f32, is_map ? map : shape);
  for (const char* name : {"input", names.baseline}) check(tensors, name, DType::f32, shape);
  for (const char* name : {"classes", names.against}) check(tensors, name, DType::i32, Shape{shape[0]});
  if (const auto sets = tensors.find("baselines"); sets != tensors.end()) {
    const Shape& found = sets->second.shape;
    if (found.rank() != 5 || found[1] < 1) fail("'baselines': expected [N,B,H,W,C], found {}", found.to_string());
    check(tensors, "baselines", DType::f32, {shape[0], found[1], shape[1], shape[2], shape[3]});
  }
  check_size(header);
}

// Images are in [0,1], but for rounding.
void check_range(const char* name, const Tensor& images) {
  constexpr double kRounding = 1e-5;
  if (!images.defined()) return;
  for (const float value : images.to_vector<float>()) {
    if (!(value >= -kRounding && value <= 1 + kRounding)) fail("'{}' holds {}, expected 0 to 1", name, value);
  }
}

// What a file says of itself, for a line of a table or a picture.
std::string one_line(const std::string& text) {
  const std::string quoted = in_quotes(text);
  return quoted.substr(1, quoted.size() - 2);
}

std::string entry(const TensorFile& contents, const char* name) {
  const auto found = contents.metadata.find(name);
  return found == contents.metadata.end() ? "" : found->second;
}

}  // namespace

Tensor AttributionFile::baseline() const {
  return slice(baselines, 1, 0, 1).reshape(input.shape());
}

AttributionFile read_attributions(const std::filesystem::path& file, Device& device) {
  Names names;
  const TensorFile contents = read_safetensors(file, device, [&](const TensorFileHeader& header) {
    check_header(header);
    names = names_in(header.tensors);
  });
  const auto tensor = [&](const char* name) {
    const auto found = contents.tensors.find(name);
    return found == contents.tensors.end() ? Tensor() : found->second;
  };
  try {
    for (const auto& [name, one] : contents.tensors) {
      if (one.dtype() == DType::f32 && !all_finite(one)) fail("{} holds numbers that are not finite", in_quotes(name));
    }
    for (const char* name : {"input", names.baseline, "baselines"}) check_range(name, tensor(name));
  } catch (const Error& error) {
    fail("{}: {}", file.string(), error.what());
  }
  AttributionFile read{file.stem().string(), tensor("input"), tensor(names.attribution), {}, tensor("baselines"), {}};
  read.question = {.classes = tensor("classes"), .against = tensor(names.against)};
  if (entry(contents, "scale") == "probabilities") read.question.scale = nn::Question::Scale::probabilities;
  if (const Tensor one = tensor(names.baseline); one.defined() && !read.baselines.defined()) {
    const Shape& shape = one.shape();
    read.baselines = one.reshape(Shape{shape[0], 1, shape[1], shape[2], shape[3]});
  }
  for (const char* key : {"method", "kind"}) {
    if (const std::string name = entry(contents, key); !name.empty()) read.label = name;
  }
  std::filesystem::path baseline = entry(contents, "baseline");
  if (!baseline.has_filename()) baseline = baseline.parent_path();  // a folder's name with a slash behind it
  if (!baseline.empty()) read.label += ", " + baseline.filename().string();
  read.label = one_line(read.label);
  read.classifier = entry(contents, "classifier");
  return read;
}

Tensor read_annotations(const std::filesystem::path& file, Device& device) {
  std::string name = "annotations";
  const TensorFile contents = read_safetensors(file, device, [&](const TensorFileHeader& header) {
    const TensorSpecs& tensors = header.tensors;
    if (tensors.size() == 1) name = tensors.begin()->first;
    if (!tensors.contains(name)) fail("it holds {} tensors, none of them called 'annotations'", tensors.size());
    const Shape& shape = tensors.at(name).shape;
    if (shape.rank() != 4 || shape[3] != 1)
      fail("{} has shape {}, expected [N,H,W,1]", in_quotes(name), shape.to_string());
    check_size(header);
  });
  const Tensor& annotations = contents.at(name);
  const bool real = annotations.dtype() == DType::f32 || annotations.dtype() == DType::f64;
  if (real && !all_finite(annotations))
    fail("{}: {} holds numbers that are not finite", file.string(), in_quotes(name));
  return annotations;
}

}  // namespace counterfoil::app
