#include "app/collapse_watch.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace counterfoil::app {

std::optional<double> part_alike(const Tensor& rows, double within) {
  const auto count = static_cast<std::size_t>(rows.shape().rank() == 0 ? 0 : rows.shape()[0]);
  if (count < 2) return std::nullopt;
  const std::vector<float> values = rows.to_vector<float>();
  const std::size_t length = values.size() / count;
  const double limit = within * within * static_cast<double>(length);  // on a sum of squares
  const auto alike = [&](std::size_t a, std::size_t b) {
    double squares = 0;
    for (std::size_t k = 0; k < length && squares < limit; ++k)
      squares += std::pow(static_cast<double>(values[a * length + k]) - values[b * length + k], 2);
    return squares < limit;
  };
  std::vector<std::size_t> same_as(count, 1);
  for (std::size_t a = 0; a < count; ++a) {
    for (std::size_t b = a + 1; b < count; ++b) {
      if (!alike(a, b)) continue;
      ++same_as[a];
      ++same_as[b];
    }
  }
  return static_cast<double>(std::ranges::max(same_as)) / static_cast<double>(count);
}

void CollapseWatch::look(std::int64_t step, const std::vector<std::pair<std::string, Tensor>>& drawn) {
  std::vector<std::pair<std::string, std::int64_t>> same;
  for (const auto& [name, rows] : drawn) {
    const std::optional<double> found = part_alike(rows, kSame);
    if (!found || *found < kMost) continue;
    const auto before = std::ranges::find(same_since_, name, [](const auto& entry) { return entry.first; });
    same.emplace_back(name, before == same_since_.end() ? step : before->second);
  }
  std::ranges::stable_sort(same, {}, [](const auto& entry) { return entry.second; });
  same_since_ = std::move(same);
}

std::string CollapseWatch::finding() const {
  return fmt::format("what {} draws has been the same for most inputs since step {}", same_since_.front().first,
                     same_since_.front().second);
}

bool CollapseWatch::collapsed(std::int64_t step) const {
  return doubtful() && step - same_since_.front().second >= kPatience;
}

}  // namespace counterfoil::app
