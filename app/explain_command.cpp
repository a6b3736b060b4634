#include <fmt/format.h>

#include "app/commands.h"
#include "app/explaining.h"
#include "app/progress.h"
#include "data/image_file.h"
#include "kernels/device.h"
#include "kernels/error.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

// [1,H,W,C] in [0,1]
Tensor read_picture(const std::filesystem::path& file, Device& device) {
  const data::Image image = data::read_image(file);
  const Tensor bytes = Tensor::from(image.pixels, Shape{1, image.height, image.width, image.channels}, device);
  return convert(bytes, DType::f32, 1.0 / 255);
}

// The tensor "images", or the only one: floats in [0,1], or bytes.
Tensor read_tensor(const std::filesystem::path& file, Device& device) {
  const TensorFile contents = read_safetensors(file, device);
  if (contents.tensors.empty()) fail("{}: it holds no tensor", file.string());
  if (contents.tensors.size() > 1 && !contents.tensors.contains("images")) {
    fail("{}: it holds {} tensors, none of them called 'images'", file.string(), contents.tensors.size());
  }
  const auto& [name, tensor] =
      contents.tensors.size() == 1 ? *contents.tensors.begin() : *contents.tensors.find("images");
  if (tensor.shape().rank() != 4) {
    fail("{}: {} has shape {}, expected [N,H,W,C]", file.string(), in_quotes(name), tensor.shape().to_string());
  }
  if (tensor.dtype() == DType::u8) return convert(tensor, DType::f32, 1.0 / 255);
  if (tensor.dtype() != DType::f32 && tensor.dtype() != DType::f64) {
    fail("{}: {} holds {}, expected f32, f64 or u8", file.string(), in_quotes(name), name_of(tensor.dtype()));
  }
  for (const double value : tensor.to_doubles()) {
    if (!(value >= 0 && value <= 1)) fail("{}: {} holds {}, expected 0 to 1", file.string(), in_quotes(name), value);
  }
  return tensor.to(DType::f32);
}

Tensor read_inputs(const std::vector<std::filesystem::path>& files, const data::Dataset& like, Device& device) {
  std::vector<Tensor> parts;
  for (const std::filesystem::path& file : files) {
    const Tensor images = file.extension() == ".safetensors" ? read_tensor(file, device) : read_picture(file, device);
    const Shape& shape = images.shape();
    if (shape[1] != like.height || shape[2] != like.width || shape[3] != like.channels) {
      fail("{}: images of {} x {} x {}, the run was trained on {} x {} x {}", file.string(), shape[1], shape[2],
           shape[3], like.height, like.width, like.channels);
    }
    parts.push_back(images);
  }
  const Tensor all = concat(parts, 0);
  if (all.shape()[0] == 0) fail("--input: no images");
  return all;
}

}  // namespace

int explain_command(const ExplainArguments& arguments) {
  Device& device = open_device(arguments.device);
  ExplainerRun explained = load_explainer(arguments.run, device);
  const Tensor images = read_inputs(arguments.input, explained.run.data.splits.train, device);
  TensorFile output;
  std::optional<int> target;
  if (!arguments.target.empty()) target = target_named(explained, arguments.target);
  output.tensors = explain_images(explained, images, target);
  output.metadata = metadata_of(explained.run);
  write_safetensors(arguments.output, output);
  fmt::print("{}: {} images explained, {}\n", arguments.output.string(), images.shape()[0], peak_memory_text(device));
  return 0;
}

}  // namespace counterfoil::app
