#include "data/variants.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <fmt/ranges.h>

#include "tensor/nearest_name.h"
#include "tensor/ops.h"

namespace counterfoil::data {

namespace {

const std::vector<std::string> kNames = {"square", "few", "side"};

std::string name_of(const std::string& change) {
  return change.substr(0, change.find('='));
}

std::int64_t whole_number(const std::string& text, std::int64_t low, std::int64_t high) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    fail("expected a whole number from {} to {}, found {}", low, high, in_quotes(text));
  }
  return value;
}

std::int32_t label_of(const Source& source, const std::string& name) {
  const auto& names = source.train.class_names;
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    fail("no class {}; there are {}; the nearest is '{}'", in_quotes(name), fmt::join(names, ", "),
         nearest_name(name, names));
  }
  return static_cast<std::int32_t>(found - names.begin());
}

struct Square {
  std::int32_t label = -1;  // of the images that have it; -1: all
  std::uint8_t grey = 128;
};

// CLASS or CLASS/GREY; a name of a class may hold a '/' itself.
Square square_of(const Source& source, const std::string& value) {
  const auto& names = source.train.class_names;
  const std::size_t slash = value.rfind('/');
  if (slash == std::string::npos || std::ranges::find(names, value) != names.end()) return {label_of(source, value)};
  return {label_of(source, value.substr(0, slash)),
          static_cast<std::uint8_t>(whole_number(value.substr(slash + 1), 0, 255))};
}

void mark(Dataset& dataset, const Square& square) {
  constexpr double kPart = 6.0 / 64;
  const auto side =
      std::max<std::int64_t>(1, std::lround(kPart * static_cast<double>(std::min(dataset.height, dataset.width))));
  const std::int64_t row_size = dataset.width * dataset.channels;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    if (square.label >= 0 && dataset.labels[static_cast<std::size_t>(i)] != square.label) continue;
    for (std::int64_t row = 0; row < side; ++row) {
      const auto begin = dataset.pixels.begin() + (i * dataset.height + row) * row_size;
      std::fill(begin, begin + side * dataset.channels, square.grey);
    }
  }
}

void keep_few(Source& source, std::int32_t label, std::int64_t count) {
  std::vector<std::int32_t> kept, places;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(source.train.size()); ++i) {
    if (source.train.labels[static_cast<std::size_t>(i)] == label && --count < 0) continue;
    kept.push_back(i);
    places.push_back(source.train_places[static_cast<std::size_t>(i)]);
  }
  source.train = source.train.subset(kept);
  source.train_places = std::move(places);
}

Dataset resized(const Dataset& dataset, std::int64_t side) {
  constexpr std::int64_t kPart = 1000;
  Dataset result{side, side, dataset.channels, {}, dataset.labels, dataset.class_names};
  for (std::int64_t first = 0; first < dataset.size(); first += kPart) {
    std::vector<std::int32_t> positions(static_cast<std::size_t>(std::min(kPart, dataset.size() - first)));
    std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(first));
    const Tensor large = resize(dataset.images(positions, cpu_device()), side, side, ResizeMode::bilinear);
    for (const float value : large.to_vector<float>()) {
      result.pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.F, 1.F))));
    }
  }
  return result;
}

}  // namespace

VariantSpec split_variants(const std::string& spec) {
  VariantSpec result{spec, {}};
  while (true) {
    const std::size_t plus = result.source.rfind('+');
    if (plus == std::string::npos) break;
    const std::string change = result.source.substr(plus + 1);
    if (std::ranges::find(kNames, name_of(change)) == kNames.end()) break;
    result.changes.insert(result.changes.begin(), change);
    result.source.resize(plus);
  }
  return result;
}

void apply_variant(Source& source, const std::string& change) {
  const std::string name = name_of(change);
  const std::size_t equals = change.find('=');
  const std::string value = equals == std::string::npos ? "" : change.substr(equals + 1);
  try {
    if (name == "square") {
      const Square square = equals == std::string::npos ? Square{} : square_of(source, value);
      mark(source.train, square);
      mark(source.test, square);
    } else if (name == "few") {
      const std::size_t slash = value.rfind('/');
      if (slash == std::string::npos) fail("expected few=CLASS/COUNT");
      constexpr std::int64_t kMost = 1000000000;
      keep_few(source, label_of(source, value.substr(0, slash)), whole_number(value.substr(slash + 1), 0, kMost));
    } else {
      const std::int64_t side = whole_number(value, 4, 1024);
      source.train = resized(source.train, side);
      source.test = resized(source.test, side);
    }
  } catch (const Error& error) {
    fail("+{}: {}", change, error.what());
  }
}

}  // namespace counterfoil::data
