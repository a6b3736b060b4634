#include <set>

#include <fmt/format.h>

#include "app/commands.h"
#include "app/explaining.h"
#include "app/progress.h"
#include "app/report.h"
#include "data/image_file.h"
#include "kernels/error.h"
#include "kernels/route.h"
#include "tensor/atomic_file.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

constexpr std::uint64_t kLargestInput = std::uint64_t{1} << 30U;  // bytes of a file's tensors

void check_extents(const Shape& shape, const data::Dataset& like) {
  if (shape[1] == like.height && shape[2] == like.width && shape[3] == like.channels) return;
  fail("images of {} x {} x {}, the run was trained on {} x {} x {}", shape[1], shape[2], shape[3], like.height,
       like.width, like.channels);
}

// [1,H,W,C] in [0,1]
Tensor read_picture(const std::filesystem::path& file, const data::Dataset& like, Device& device) {
  const data::Image image = data::read_image(file);
  const Shape shape{1, image.height, image.width, image.channels};
  try {
    check_extents(shape, like);
  } catch (const Error& error) {
    fail("{}: {}", file.string(), error.what());
  }
  return convert(Tensor::from(image.pixels, shape, device), DType::f32, 1.0 / 255);
}

// The tensor "images", or the only one: floats in [0,1], or bytes. Nothing is read before its header is known to be
// right.
Tensor read_tensor(const std::filesystem::path& file, const data::Dataset& like, Device& device) {
  std::string name;
  const TensorFile contents = read_safetensors(file, device, [&](const TensorFileHeader& header) {
    const TensorSpecs& tensors = header.tensors;
    if (tensors.empty()) fail("it holds no tensor");
    if (tensors.size() > 1 && !tensors.contains("images")) {
      fail("it holds {} tensors, none of them called 'images'", tensors.size());
    }
    name = tensors.size() == 1 ? tensors.begin()->first : "images";
    const auto& [dtype, shape] = tensors.at(name);
    if (shape.rank() != 4) fail("{} has shape {}, expected [N,H,W,C]", in_quotes(name), shape.to_string());
    if (dtype != DType::u8 && dtype != DType::f32 && dtype != DType::f64) {
      fail("{} holds {}, expected f32, f64 or u8", in_quotes(name), name_of(dtype));
    }
    check_extents(shape, like);
    if (header.data_bytes > kLargestInput) {
      fail("tensors of {} bytes, expected at most {}", header.data_bytes, kLargestInput);
    }
  });
  const Tensor& tensor = contents.tensors.at(name);
  if (tensor.dtype() == DType::u8) return convert(tensor, DType::f32, 1.0 / 255);
  for (const double value : tensor.to_doubles()) {
    if (!(value >= 0 && value <= 1)) fail("{}: {} holds {}, expected 0 to 1", file.string(), in_quotes(name), value);
  }
  return tensor.to(DType::f32);
}

struct Queries {
  Tensor images;                   ///< [N,H,W,C] in [0,1]
  std::vector<std::string> names;  ///< the files', with a number where a file holds several
};

Queries read_inputs(const std::vector<std::filesystem::path>& files, const data::Dataset& like, Device& device) {
  std::vector<Tensor> parts;
  std::vector<std::string> names;
  for (const std::filesystem::path& file : files) {
    const Tensor images =
        file.extension() == ".safetensors" ? read_tensor(file, like, device) : read_picture(file, like, device);
    const Shape& shape = images.shape();
    parts.push_back(images);
    for (std::int64_t i = 0; i < shape[0]; ++i)
      names.push_back(file.stem().string() + (shape[0] == 1 ? "" : fmt::format(".{}", i)));
  }
  if (names.empty()) fail("--input: no images");
  return {concat(parts, 0), names};
}

enum class Form : std::uint8_t { tensors, picture, pictures };

Form form_of(const std::filesystem::path& output) {
  if (output.extension() == ".safetensors") return Form::tensors;
  if (output.extension() == ".png") return Form::picture;
  if (!output.extension().empty() && !std::filesystem::is_directory(output)) {
    fail("--output {}: expected a .safetensors file, a .png file or a folder", in_quotes(output.string()));
  }
  return Form::pictures;
}

void check_names(const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) fail("--input: two images called {}: their pictures would be one", in_quotes(name));
  }
}

/// What is drawn of the image at a place, in its own size.
data::Image picture(const std::string& name, const Tensor& tensor, std::int64_t at) {
  const Shape& shape = tensor.shape();  // [N,H,W,1] or [N,H,W,3]
  const std::vector<float> values = slice(tensor, 0, at, at + 1).to_vector<float>();
  return name == "map" ? heat_image(values, shape[1], shape[2])
                       : grey_or_colour_image(values, shape[1], shape[2], shape[3]);
}

void write_pictures(const std::filesystem::path& folder, const std::vector<std::string>& names,
                    const std::map<std::string, Tensor>& tensors) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail("{}: {}", folder.string(), error.message());
  for (const auto& [name, tensor] : tensors) {
    const bool drawn = tensor.shape().rank() == 4 && (tensor.shape()[3] == 1 || tensor.shape()[3] == 3);
    if (!drawn || name == "input" || name == "difference") continue;  // that one has signs; "picture" shows it
    for (std::size_t i = 0; i < names.size(); ++i)
      data::write_png(folder / fmt::format("{}.{}.png", names[i], name),
                      picture(name, tensor, static_cast<std::int64_t>(i)));
  }
}

}  // namespace

int explain_command(const ExplainArguments& arguments) {
  const Form form = form_of(arguments.output);
  if (form != Form::pictures) check_writable(arguments.output);
  Device& device = open_device(arguments.where.device, arguments.where.route);
  ExplainerRun explained = load_explainer(arguments.run, device);
  const Queries queries = read_inputs(arguments.input, explained.run.data.splits.train, device);
  if (form == Form::picture && queries.names.size() > 1) {
    fail("--output {}: one picture, but {} images; a folder takes more", in_quotes(arguments.output.string()),
         queries.names.size());
  }
  if (form == Form::pictures) check_names(queries.names);
  std::optional<int> target;
  if (!arguments.target.empty()) target = target_named(explained, arguments.target);
  const std::map<std::string, Tensor> tensors = explain_images(explained, queries.images, target);
  if (form == Form::tensors) {
    TensorFile output;
    output.tensors = tensors;
    output.metadata = metadata_of(explained.run);
    write_safetensors(arguments.output, output);
  } else if (form == Form::picture) {
    data::write_png(arguments.output, picture("counterfactual", tensors.at("counterfactual"), 0));
  } else {
    write_pictures(arguments.output, queries.names, tensors);
  }
  fmt::print("{}: {} images explained, {}\n", arguments.output.string(), queries.names.size(),
             peak_memory_text(device));
  return 0;
}

}  // namespace counterfoil::app
