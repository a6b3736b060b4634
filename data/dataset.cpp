#include "data/dataset.h"

#include <algorithm>
#include <numeric>

#include "tensor/ops.h"

namespace counterfoil::data {

namespace {

std::int64_t image_bytes(const Dataset& dataset) {
  return dataset.height * dataset.width * dataset.channels;
}

// The bytes of the images at the positions, in their order.
std::vector<std::uint8_t> gather(const Dataset& dataset, const std::vector<std::int32_t>& positions) {
  const std::int64_t bytes = image_bytes(dataset);
  std::vector<std::uint8_t> pixels(positions.size() * static_cast<std::size_t>(bytes));
  auto target = pixels.begin();
  for (const std::int32_t position : positions) {
    if (position < 0 || position >= dataset.size()) {
      fail("dataset: no image {}, expected 0 to {}", position, dataset.size() - 1);
    }
    target = std::copy_n(dataset.pixels.begin() + position * bytes, bytes, target);
  }
  return pixels;
}

}  // namespace

Tensor Dataset::images(const std::vector<std::int32_t>& positions, Device& device) const {
  const auto count = static_cast<std::int64_t>(positions.size());
  const Tensor bytes = Tensor::from(gather(*this, positions), Shape{count, height, width, channels}, device);
  return convert(bytes, DType::f32, 1.0 / 255);
}

Tensor Dataset::all_images(Device& device) const {
  std::vector<std::int32_t> positions(labels.size());
  std::iota(positions.begin(), positions.end(), 0);
  return images(positions, device);
}

Dataset Dataset::subset(const std::vector<std::int32_t>& positions) const {
  Dataset part{height, width, channels, gather(*this, positions), {}, class_names};
  for (const std::int32_t position : positions) part.labels.push_back(labels[static_cast<std::size_t>(position)]);
  return part;
}

}  // namespace counterfoil::data
