#include "data/splits.h"

#include <algorithm>
#include <numeric>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include "tensor/nearest_name.h"
#include "tensor/random.h"

namespace counterfoil::data {

namespace {

using Positions = std::vector<std::int32_t>;  // in source.train or source.test

struct Plan {
  Positions train, validation, test;
  bool test_from_train_file = false;
};

Positions all_positions(std::int64_t count) {
  Positions positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

// Positions [begin, end) of a shuffled list, back in the file's order.
Positions sorted_range(const Positions& shuffled, std::size_t begin, std::size_t end) {
  Positions range(shuffled.begin() + static_cast<std::ptrdiff_t>(begin),
                  shuffled.begin() + static_cast<std::ptrdiff_t>(end));
  std::ranges::sort(range);
  return range;
}

Plan plan_standard(const Source& source, Random& random) {
  const Positions shuffled = random.permutation(static_cast<std::int32_t>(source.train.size()));
  const std::size_t tenth = shuffled.size() / 10;
  Plan plan;
  plan.validation = sorted_range(shuffled, 0, tenth);
  plan.test_from_train_file = source.test_file_size == 0;
  const std::size_t tests = plan.test_from_train_file ? tenth : 0;
  plan.train = sorted_range(shuffled, tenth + tests, shuffled.size());
  plan.test =
      plan.test_from_train_file ? sorted_range(shuffled, tenth, tenth + tests) : all_positions(source.test.size());
  return plan;
}

Plan plan_syce(const Source& source, Random& random) {
  const Positions shuffled = random.permutation(static_cast<std::int32_t>(source.train.size()));
  const std::size_t train = shuffled.size() * 8 / 10;
  Plan plan;
  plan.train = sorted_range(shuffled, 0, train);
  plan.validation = sorted_range(shuffled, train, shuffled.size());
  const auto half = std::ranges::lower_bound(source.test_places, source.test_file_size / 2);
  plan.test = all_positions(half - source.test_places.begin());
  return plan;
}

// The training file is cut before the classes are chosen, as in the paper.
Plan plan_explaingan(const Source& source, Random& random, bool classifier) {
  constexpr std::int64_t kFile = 60000;
  constexpr std::int32_t kClassifier = 2000, kTrain = 50000;
  if (source.train_file_size != kFile) {
    fail("split explaingan needs a training file of {} images, {} has {}", kFile, source.spec, source.train_file_size);
  }
  const Positions shuffled = random.permutation(static_cast<std::int32_t>(kFile));
  std::vector<std::int32_t> rank(shuffled.size());
  for (std::size_t i = 0; i < shuffled.size(); ++i) {
    rank[static_cast<std::size_t>(shuffled[i])] = static_cast<std::int32_t>(i);
  }
  Plan plan;
  for (const std::int32_t position : all_positions(source.train.size())) {
    const std::int32_t place = rank[static_cast<std::size_t>(source.train_places[static_cast<std::size_t>(position)])];
    if (place >= kClassifier + kTrain) {
      plan.validation.push_back(position);
    } else if ((place < kClassifier) == classifier) {
      plan.train.push_back(position);
    }
  }
  plan.test = all_positions(source.test.size());
  return plan;
}

Plan make_plan(const Source& source, const SplitOptions& options) {
  Random random(options.seed, "split");
  if (options.name == "standard") return plan_standard(source, random);
  if (options.name == "syce") return plan_syce(source, random);
  if (options.name == "explaingan") return plan_explaingan(source, random, false);
  if (options.name == "explaingan-classifier") return plan_explaingan(source, random, true);
  fail("split {}: expected one of {}; the nearest is '{}'", in_quotes(options.name), fmt::join(split_names(), ", "),
       nearest_name(options.name, split_names()));
}

std::string checksum(const Dataset& part) {
  uLong crc = crc32_z(0, part.pixels.data(), part.pixels.size());
  crc = crc32_z(crc, reinterpret_cast<const Bytef*>(part.labels.data()), part.labels.size() * sizeof(std::int32_t));
  return fmt::format("{:08x}", crc);
}

nlohmann::ordered_json describe(const Dataset& part, const Positions& positions, const Positions& places,
                                const char* file) {
  Positions in_file;
  for (const std::int32_t position : positions) in_file.push_back(places[static_cast<std::size_t>(position)]);
  return {{"file", file}, {"images", part.size()}, {"crc32", checksum(part)}, {"positions", in_file}};
}

}  // namespace

std::vector<std::string> split_names() {
  return {"standard", "syce", "explaingan", "explaingan-classifier"};
}

SplitSource split(const Source& source, const SplitOptions& options) {
  const Plan plan = make_plan(source, options);
  const Dataset& test_source = plan.test_from_train_file ? source.train : source.test;
  const Positions& test_places = plan.test_from_train_file ? source.train_places : source.test_places;
  SplitSource result;
  result.splits = {source.train.subset(plan.train), source.train.subset(plan.validation),
                   test_source.subset(plan.test)};
  const Splits& splits = result.splits;
  if (splits.train.size() == 0 || splits.validation.size() == 0 || splits.test.size() == 0) {
    fail("split {} of {}: {} images to train, {} to validate, {} to test; each needs at least one", options.name,
         source.spec, splits.train.size(), splits.validation.size(), splits.test.size());
  }
  nlohmann::ordered_json json;
  json["data"] = source.spec;
  json["split"] = options.name;
  json["split_seed"] = options.seed;
  json["classes"] = source.train.class_names;
  json["train"] = describe(splits.train, plan.train, source.train_places, "train");
  json["validation"] = describe(splits.validation, plan.validation, source.train_places, "train");
  json["test"] = describe(splits.test, plan.test, test_places, plan.test_from_train_file ? "train" : "test");
  result.description = json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  return result;
}

}  // namespace counterfoil::data
