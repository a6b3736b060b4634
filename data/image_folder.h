#pragma once

#include <filesystem>

#include "data/dataset.h"

namespace counterfoil::data {

/// What a folder of pictures holds.
struct ImageFolder {
  Dataset train, test;  ///< test is empty where the folder has no test/
};

/// Reads DIR/CLASS/*.{png,jpg,jpeg}, or DIR/train/CLASS/* and DIR/test/CLASS/*; classes and files in alphabetical
/// order, hidden files left out. All images have one size; if any is RGB, the grey ones become RGB. Throws Error naming
/// the file for a damaged or differently sized image or a file of another kind, and on more than 4 GiB of pixels.
ImageFolder read_image_folder(const std::filesystem::path& folder);

}  // namespace counterfoil::data
