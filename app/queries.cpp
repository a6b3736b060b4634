#include "app/queries.h"

#include "data/image_file.h"
#include "kernels/error.h"
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

}  // namespace

Queries read_queries(const std::vector<std::filesystem::path>& files, const data::Dataset& like, Device& device) {
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

}  // namespace counterfoil::app
