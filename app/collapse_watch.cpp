#include "app/collapse_watch.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace counterfoil::app {

std::optional<double> spread(const Tensor& rows) {
  const auto count = static_cast<std::size_t>(rows.shape().rank() == 0 ? 0 : rows.shape()[0]);
  if (count < 2) return std::nullopt;
  const std::vector<float> values = rows.to_vector<float>();
  const std::size_t length = values.size() / count;
  std::vector<double> mean(length, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) mean[i % length] += values[i] / static_cast<double>(count);
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) squares += std::pow(values[i] - mean[i % length], 2);
  return std::sqrt(squares / static_cast<double>(std::max<std::size_t>(values.size(), 1)));
}

void CollapseWatch::look(std::int64_t step, const std::vector<std::pair<std::string, Tensor>>& drawn) {
  std::vector<std::pair<std::string, std::int64_t>> same;
  for (const auto& [name, rows] : drawn) {
    const std::optional<double> found = spread(rows);
    if (!found || !(*found < kSame)) continue;  // what is not finite is another's to report
    const auto before = std::ranges::find(same_since_, name, [](const auto& entry) { return entry.first; });
    same.emplace_back(name, before == same_since_.end() ? step : before->second);
  }
  std::ranges::stable_sort(same, {}, [](const auto& entry) { return entry.second; });
  same_since_ = std::move(same);
}

std::string CollapseWatch::finding() const {
  return fmt::format("what {} draws has been the same for every input since step {}", same_since_.front().first,
                     same_since_.front().second);
}

bool CollapseWatch::collapsed(std::int64_t step) const {
  return doubtful() && step - same_since_.front().second >= kPatience;
}

}  // namespace counterfoil::app
