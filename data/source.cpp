#include "data/source.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>
#include <optional>

#include <fmt/ranges.h>

#include "data/idx.h"
#include "data/image_folder.h"
#include "data/mnist10k.h"
#include "data/synthetic.h"
#include "data/variants.h"
#include "tensor/nearest_name.h"

namespace counterfoil::data {

namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr const char* kFashionFolder = "/usr/share/datasets/fashion-mnist";
const Names kFashionClasses = {"t-shirt", "trouser", "pullover", "dress", "coat",
                               "sandal",  "shirt",   "sneaker",  "bag",   "ankle-boot"};

Names split_list(const std::string& text) {
  Names names;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(',', begin);
    names.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return names;
}

// The classes of an IDX file are its label values; names, where given, are those of 0, 1, ...
Dataset labelled_images(const IdxArray& images, const IdxArray& labels, const std::string& name, Names class_names) {
  if (images.extents.size() < 3) fail("{}: {} dimensions, images have 3 or 4", name, images.extents.size());
  if (labels.extents.size() != 1) fail("{}: the labels have {} dimensions, expected 1", name, labels.extents.size());
  if (images.extents[0] != labels.extents[0]) {
    fail("{}: {} images, but {} labels", name, images.extents[0], labels.extents[0]);
  }
  Dataset dataset;
  dataset.height = images.extents[1];
  dataset.width = images.extents[2];
  dataset.channels = images.extents.size() == 4 ? images.extents[3] : 1;
  if (dataset.height < 1 || dataset.width < 1 || (dataset.channels != 1 && dataset.channels != 3)) {
    fail("{}: images of extents {}, expected at least 1 x 1 with 1 or 3 channels", name,
         fmt::join(images.extents, " x "));
  }
  dataset.pixels = images.values;
  dataset.labels.assign(labels.values.begin(), labels.values.end());
  const bool named = !class_names.empty();
  const std::int32_t largest = dataset.labels.empty() ? -1 : *std::ranges::max_element(dataset.labels);
  for (auto label = static_cast<std::int32_t>(class_names.size()); !named && label <= largest; ++label) {
    class_names.push_back(std::to_string(label));
  }
  if (largest >= static_cast<std::int32_t>(class_names.size())) {
    fail("{}: label {}, expected 0 to {}", name, largest, class_names.size() - 1);
  }
  dataset.class_names = std::move(class_names);
  return dataset;
}

struct FilePair {
  fs::path images, labels;
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

// The pairs of a folder by role. Of x and x.gz the plain one counts.
std::map<std::string, FilePair> find_pairs(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) fail("{}: no such folder", folder.string());
  std::map<std::string, FilePair> pairs;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const std::string name = file.filename().string();
    if (name.find("images") == std::string::npos) continue;
    if (name.ends_with(".gz") && fs::exists(fs::path(file).replace_extension())) continue;
    const std::string partner = replaced(replaced(name, "images", "labels"), "idx3", "idx1");
    FilePair pair{file, folder / partner};
    if (!fs::exists(pair.labels)) {
      pair.labels =
          partner.ends_with(".gz") ? fs::path(pair.labels).replace_extension() : fs::path(pair.labels) += ".gz";
    }
    if (!fs::exists(pair.labels)) fail("{}: there is no {} beside it", file.string(), partner);
    const bool test = name.find("t10k") != std::string::npos || name.find("test") != std::string::npos;
    const auto [known, added] = pairs.emplace(test ? "test" : "train", pair);
    if (!added) {
      fail("{}: both {} and {} look like the {} images", folder.string(), known->second.images.filename().string(),
           name, known->first);
    }
  }
  if (!pairs.contains("train")) {
    fail("{}: no IDX images found, expected files such as train-images-idx3-ubyte.gz", folder.string());
  }
  return pairs;
}

struct Parts {
  Dataset train, test;
};

void check_alike(const Dataset& train, Dataset& test, const std::string& spec) {
  if (test.size() == 0) {
    test = Dataset{train.height, train.width, train.channels, {}, {}, train.class_names};
  }
  if (test.height != train.height || test.width != train.width || test.channels != train.channels) {
    fail("{}: training images of {} x {} x {}, test images of {} x {} x {}", spec, train.height, train.width,
         train.channels, test.height, test.width, test.channels);
  }
}

Parts open_idx(const fs::path& folder, const Names& class_names) {
  const auto pairs = find_pairs(folder);
  const auto read = [&](const std::string& role) {
    const auto found = pairs.find(role);
    if (found == pairs.end()) return Dataset{};
    const FilePair& pair = found->second;
    return labelled_images(read_idx(pair.images), read_idx(pair.labels), pair.images.string(), class_names);
  };
  Parts parts{read("train"), read("test")};
  // Unnamed classes are as many as the larger of the two files has.
  Names& fewer =
      parts.train.class_names.size() < parts.test.class_names.size() ? parts.train.class_names : parts.test.class_names;
  fewer = std::max(parts.train.class_names, parts.test.class_names,
                   [](const Names& a, const Names& b) { return a.size() < b.size(); });
  return parts;
}

Parts open_mnist10k() {
  const Mnist10k files = mnist10k();
  const auto read = [](std::span<const std::uint8_t> images, std::span<const std::uint8_t> labels) {
    return labelled_images(read_idx(images, "mnist10k"), read_idx(labels, "mnist10k"), "mnist10k", {});
  };
  return {read(files.train_images, files.train_labels), read(files.test_images, files.test_labels)};
}

Parts open_fashion() {
  std::error_code error;
  if (!fs::is_directory(kFashionFolder, error)) {
    fail("fashion-mnist: no folder {}; install the package dataset-fashion-mnist", kFashionFolder);
  }
  return open_idx(kFashionFolder, kFashionClasses);
}

constexpr std::string_view kColoured = "coloured-";

// [coloured-]KIND[:FOLDER][:CLASSES]
struct Spec {
  std::string kind, folder;
  Names classes;
  bool coloured = false;
};

Spec parse_spec(const std::string& text) {
  Names kinds = {"mnist10k", "fashion-mnist", "idx", "images"};
  const std::size_t colon = text.find(':');
  Spec spec;
  spec.coloured = text.starts_with(kColoured);
  const std::size_t begin = spec.coloured ? kColoured.size() : 0;
  spec.kind = text.substr(begin, std::max(colon, begin) - begin);
  if (std::ranges::find(kinds, spec.kind) == kinds.end()) {
    for (const std::string& kind : Names(kinds)) kinds.push_back(std::string(kColoured) + kind);
    fail(
        "data {}: expected [coloured-]mnist10k, fashion-mnist, idx:DIR or images:DIR, then :CLASSES; the nearest is "
        "'{}'",
        in_quotes(text), nearest_name(text.substr(0, colon), kinds));
  }
  std::optional<std::string> rest;
  if (colon != std::string::npos) rest = text.substr(colon + 1);
  if (spec.kind == "idx" || spec.kind == "images") {
    if (!rest || rest->empty()) fail("data {}: expected {}:DIR", in_quotes(text), spec.kind);
    // A folder's name may hold colons.
    const std::size_t last = rest->rfind(':');
    std::error_code error;
    const bool whole = last == std::string::npos || fs::is_directory(*rest, error);
    spec.folder = whole ? *rest : rest->substr(0, last);
    rest = whole ? std::nullopt : std::optional(rest->substr(last + 1));
    if (spec.folder.empty()) fail("data {}: expected {}:DIR", in_quotes(text), spec.kind);
  }
  if (rest) spec.classes = split_list(*rest);
  return spec;
}

Parts open_parts(const Spec& spec) {
  if (spec.kind == "mnist10k") return open_mnist10k();
  if (spec.kind == "fashion-mnist") return open_fashion();
  if (spec.kind == "idx") return open_idx(spec.folder, {});
  ImageFolder folder = read_image_folder(spec.folder);
  return {std::move(folder.train), std::move(folder.test)};
}

}  // namespace

Dataset choose_classes(const Dataset& all, const Names& classes, std::vector<std::int32_t>& places) {
  std::vector<std::int32_t> new_label(all.class_names.size(), -1);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const auto found = std::ranges::find(all.class_names, classes[i]);
    if (found == all.class_names.end()) {
      const bool change = classes[i].find('+') != std::string::npos;
      fail("no class {}; there are {}; the nearest is '{}'{}", in_quotes(classes[i]), fmt::join(all.class_names, ", "),
           nearest_name(classes[i], all.class_names), change ? "; changes are +square, +few and +side" : "");
    }
    std::int32_t& label = new_label[static_cast<std::size_t>(found - all.class_names.begin())];
    if (label >= 0) fail("class {} is named twice", in_quotes(classes[i]));
    label = static_cast<std::int32_t>(i);
  }
  places.clear();
  for (std::int32_t position = 0; position < static_cast<std::int32_t>(all.size()); ++position) {
    if (new_label[static_cast<std::size_t>(all.labels[static_cast<std::size_t>(position)])] >= 0) {
      places.push_back(position);
    }
  }
  Dataset chosen = all.subset(places);
  for (std::int32_t& label : chosen.labels) label = new_label[static_cast<std::size_t>(label)];
  chosen.class_names = classes;
  return chosen;
}

Source open_source(const std::string& text) {
  const VariantSpec variants = split_variants(text);
  const Spec spec = parse_spec(variants.source);
  Parts parts = open_parts(spec);
  check_alike(parts.train, parts.test, text);
  Source source;
  source.spec = text;
  source.train_file_size = parts.train.size();
  source.test_file_size = parts.test.size();
  const Names classes = spec.classes.empty() ? parts.train.class_names : spec.classes;
  if (classes.size() < 2) fail("data {}: expected at least two classes", in_quotes(text));
  try {
    if (spec.coloured) {
      constexpr std::uint64_t kTrainColours = 1, kTestColours = 2;  // whoever opens the source sees the same colours
      parts.train = coloured_digits(parts.train, kTrainColours).digits;
      parts.test = coloured_digits(parts.test, kTestColours).digits;
    }
    source.train = choose_classes(parts.train, classes, source.train_places);
    source.test = choose_classes(parts.test, classes, source.test_places);
    for (const std::string& change : variants.changes) apply_variant(source, change);
  } catch (const Error& error) {
    fail("data {}: {}", in_quotes(text), error.what());
  }
  return source;
}

}  // namespace counterfoil::data
