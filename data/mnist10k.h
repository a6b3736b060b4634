#pragma once

#include <cstdint>
#include <span>

namespace counterfoil::data {

/// The four gzipped IDX files of data/mnist10k, carried inside the program.
struct Mnist10k {
  std::span<const std::uint8_t> train_images, train_labels, test_images, test_labels;
};
Mnist10k mnist10k();

}  // namespace counterfoil::data
