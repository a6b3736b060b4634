#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace counterfoil::app {

/// Images that are asked about.
struct Queries {
  Tensor images;                   ///< f32 [N,H,W,C] in [0,1], N >= 1
  std::vector<std::string> names;  ///< the files', with a number where a file holds several
};

/// Reads PNG and JPEG files, and safetensors files with a tensor "images" (or one alone) [N,H,W,C]: floats in [0,1] or
/// bytes. Throws Error on anything else, on extents other than those of `like`, and where there are no images.
Queries read_queries(const std::vector<std::filesystem::path>& files, const data::Dataset& like, Device& device);

}  // namespace counterfoil::app
