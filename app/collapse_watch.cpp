#include "app/collapse_watch.h"

#include <cmath>
#include <map>

#include <fmt/format.h>

namespace counterfoil::app {

namespace {

// A number per way between classes, below 0 where a row was to stay.
std::vector<std::int64_t> ways_of(const nn::Drawn& drawn) {
  const std::vector<std::int32_t> from = drawn.from.to_vector<std::int32_t>(), to = drawn.to.to_vector<std::int32_t>();
  std::vector<std::int64_t> ways;
  for (std::size_t i = 0; i < to.size(); ++i)
    ways.push_back(from[i] == to[i] ? -1 : (std::int64_t{from[i]} << 31U) + to[i]);
  return ways;
}

}  // namespace

std::optional<double> part_alike(const Tensor& rows, double within, const std::vector<std::int64_t>& groups) {
  const auto count = static_cast<std::size_t>(rows.shape().rank() == 0 ? 0 : rows.shape()[0]);
  if (count < 2) return std::nullopt;
  std::map<std::int64_t, std::vector<std::size_t>> members;
  for (std::size_t row = 0; row < count; ++row) members[groups.empty() ? 0 : groups[row]].push_back(row);

  const std::vector<float> values = rows.to_vector<float>();
  const std::size_t length = values.size() / count;
  const double limit = within * within * static_cast<double>(length);  // on a sum of squares
  const auto alike = [&](std::size_t a, std::size_t b) {
    double squares = 0;
    for (std::size_t k = 0; k < length && squares < limit; ++k)
      squares += std::pow(static_cast<double>(values[a * length + k]) - values[b * length + k], 2);
    return squares < limit;
  };
  std::size_t same = 0, compared = 0;
  for (const auto& [group, all] : members) {
    if (group < 0 || all.size() < 2) continue;
    std::vector<std::size_t> same_as(all.size(), 1);
    for (std::size_t a = 0; a < all.size(); ++a) {
      for (std::size_t b = a + 1; b < all.size(); ++b) {
        if (!alike(all[a], all[b])) continue;
        ++same_as[a];
        ++same_as[b];
      }
    }
    same += std::ranges::max(same_as);
    compared += all.size();
  }
  if (compared == 0) return std::nullopt;
  return static_cast<double>(same) / static_cast<double>(compared);
}

void CollapseWatch::look(std::int64_t step, const std::vector<nn::Drawn>& drawn) {
  std::vector<Same> found;
  // What cannot be told this time, as no two rows went one way, is as it was.
  const auto note = [&](std::string what, std::optional<double> part, std::int64_t patience) {
    const auto before = std::ranges::find(found_, what, &Same::what);
    const bool was = before != found_.end();
    if (part ? *part < kMost : !was) return false;
    found.push_back({std::move(what), was ? before->since : step, patience});
    return true;
  };
  for (const nn::Drawn& one : drawn) {
    const std::string draws = fmt::format("what {} draws has been the same for most inputs", one.name);
    if (note(draws, part_alike(one.rows, kSame), kPatience) || !one.to.defined()) continue;
    note(draws + " of a class and a class asked for", part_alike(one.rows, kSame, ways_of(one)), patience_by_way_);
  }
  found_ = std::move(found);
}

const CollapseWatch::Same& CollapseWatch::worst(std::int64_t step) const {
  return *std::ranges::max_element(found_, {}, [&](const Same& same) { return step - same.since - same.patience; });
}

std::string CollapseWatch::finding(std::int64_t step) const {
  return fmt::format("{} since step {}", worst(step).what, worst(step).since);
}

bool CollapseWatch::collapsed(std::int64_t step) const {
  return doubtful() && step - worst(step).since >= worst(step).patience;
}

}  // namespace counterfoil::app
