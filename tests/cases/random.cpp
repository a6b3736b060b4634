#include "tensor/random.h"

#include "autograd/pointwise.h"
#include "tensor/ops.h"
#include "tests/cases/case.h"

// The input of a case without arguments says only where and in which type to draw.

namespace counterfoil::cases {

std::vector<Case> random_cases() {
  std::vector<Case> all;
  constexpr RandomKey key{.seed = 0x0123456789abcdef, .stream = 0xfedcba9876543210};
  const auto uniform_from = [key](std::uint64_t first, const Shape& shape) {
    return [=](const Variables& v) {
      return Variables{random_uniform(shape, key, first, -1, 3, v[0].dtype(), v[0].device())};
    };
  };
  const auto normal_from = [key](std::uint64_t first, const Shape& shape) {
    return [=](const Variables& v) {
      return Variables{random_normal(shape, key, first, 0.5, 2, v[0].dtype(), v[0].device())};
    };
  };
  const Input where = uniform({1});
  const Shape block = {7, 9};
  // From the start, from inside a block of four words, across the carry of the counter's low half, and nothing.
  for (const auto& [name, first] : {std::pair<const char*, std::uint64_t>{"start", 0},
                                    {"inside_block", 3},
                                    {"carry", (std::uint64_t{1} << 34) - 5}}) {
    all.push_back(
        {.name = std::string("random_uniform/") + name, .inputs = {where}, .apply = uniform_from(first, block)});
    all.push_back(
        {.name = std::string("random_normal/") + name, .inputs = {where}, .apply = normal_from(first, block)});
  }
  all.push_back({.name = "random_uniform/none", .inputs = {where}, .apply = uniform_from(0, {0})});
  all.push_back(
      {.name = "random_uniform/large", .inputs = {where}, .apply = uniform_from(0, {64, 28, 28, 32}), .large = true});
  all.push_back(
      {.name = "random_normal/large", .inputs = {where}, .apply = normal_from(0, {64, 28, 28, 32}), .large = true});

  const auto drop = [](double probability, bool per_channel) {
    return [=](const Variables& v) {
      Random random(7, "dropout");
      return Variables{dropout(v[0], probability, random, per_channel),
                       dropout(v[0], probability, random, per_channel)};
    };
  };
  const auto add = [&](const char* name, const Shape& shape, double probability, bool per_channel, bool large = false) {
    all.push_back({.name = std::string("dropout/") + name,
                   .inputs = {uniform(shape)},
                   .apply = drop(probability, per_channel),
                   .differentiable = {0},
                   .second_order = true,
                   .large = large});
  };
  add("elements", {3, 5, 7}, 0.3, false);
  add("channels", {3, 4, 3, 5}, 0.5, true);
  add("never", {3, 5}, 0, false);
  add("empty", {0, 3}, 0.5, false);
  add("large", {64, 28, 28, 32}, 0.2, false, true);
  return all;
}

}  // namespace counterfoil::cases
