#include "data/image_folder.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "data/image_file.h"

namespace counterfoil::data {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostPixelBytes = std::uint64_t{1} << 32U;

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) fail("{}: no such folder", folder.string());
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with(".")) entries.push_back(entry.path());
  }
  std::ranges::sort(entries);
  return entries;
}

std::vector<std::string> class_folders(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& entry : sorted_entries(folder)) {
    if (fs::is_directory(entry)) names.push_back(entry.filename().string());
  }
  return names;
}

void make_rgb(Image& image) {
  if (image.channels == 3) return;
  std::vector<std::uint8_t> pixels;
  pixels.reserve(image.pixels.size() * 3);
  for (const std::uint8_t grey : image.pixels) pixels.insert(pixels.end(), 3, grey);
  image.pixels = std::move(pixels);
  image.channels = 3;
}

Dataset read_part(const fs::path& folder, std::vector<std::string> class_names) {
  Dataset dataset;
  std::vector<Image> images;
  std::uint64_t bytes = 0;
  fs::path first;
  for (std::size_t label = 0; label < class_names.size(); ++label) {
    const fs::path class_folder = folder / class_names[label];
    if (!fs::exists(class_folder)) continue;
    for (const fs::path& file : sorted_entries(class_folder)) {
      Image image = read_image(file);
      if (images.empty()) first = file;
      if (!images.empty() && (image.height != images[0].height || image.width != images[0].width)) {
        fail("{}: {} x {} pixels, but {} has {} x {}", file.string(), image.height, image.width, first.string(),
             images[0].height, images[0].width);
      }
      bytes += image.pixels.size();
      if (bytes * 3 > kMostPixelBytes) fail("{}: more than {} bytes of pixels", folder.string(), kMostPixelBytes / 3);
      images.push_back(std::move(image));
      dataset.labels.push_back(static_cast<std::int32_t>(label));
    }
  }
  if (images.empty()) fail("{}: no images in folders named by class", folder.string());
  if (std::ranges::any_of(images, [](const Image& image) { return image.channels == 3; })) {
    std::ranges::for_each(images, make_rgb);
  }
  dataset.height = images[0].height;
  dataset.width = images[0].width;
  dataset.channels = images[0].channels;
  for (Image& image : images) {
    dataset.pixels.insert(dataset.pixels.end(), image.pixels.begin(), image.pixels.end());
    image.pixels = {};
  }
  dataset.class_names = std::move(class_names);
  return dataset;
}

}  // namespace

ImageFolder read_image_folder(const fs::path& folder) {
  const std::vector<std::string> names = class_folders(folder);
  if (std::ranges::find(names, "train") == names.end()) return {read_part(folder, names), {}};
  ImageFolder parts;
  const std::vector<std::string> classes = class_folders(folder / "train");
  parts.train = read_part(folder / "train", classes);
  if (std::ranges::find(names, "test") != names.end()) {
    for (const std::string& name : class_folders(folder / "test")) {
      if (std::ranges::find(classes, name) == classes.end()) {
        fail("{}: class '{}' has no training images", folder.string(), name);
      }
    }
    parts.test = read_part(folder / "test", classes);
  }
  return parts;
}

}  // namespace counterfoil::data
