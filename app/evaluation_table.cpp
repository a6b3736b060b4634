#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/evaluation.h"
#include "app/progress.h"

namespace counterfoil::app {

namespace {

std::string cell(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "-";
}

std::vector<std::string> row_of(const Evaluation& evaluation) {
  constexpr double kMebibyte = 1 << 20, kPrintedScale = 1e5, kMilli = 1e3;
  const double milliseconds = evaluation.seconds_per_image * kMilli;
  const std::optional<double> fd_mu = evaluation.fd_mu(), lsc = evaluation.lsc();
  const std::optional<TrainingCost>& training = evaluation.training;
  return {evaluation.method,
          fmt::format("{:.3f}", evaluation.flip_rate),
          cell(evaluation.acc_stable, "{:.3f}"),
          fmt::format("{:.3f} / {:.3f}", evaluation.distance_l1, evaluation.distance_l2),
          fd_mu ? fmt::format("{:.2f}", *fd_mu * kPrintedScale) : "-",
          cell(evaluation.js(), "{:.2f}"),
          lsc ? fmt::format("{:.2f} ({})", *lsc, *evaluation.lsc_candidates()) : "-",
          cell(evaluation.fva, "{:.2f}"),
          cell(evaluation.mask_size, "{:.3f}"),
          cell(evaluation.mask_nonzero, "{:.3f}"),
          milliseconds < 1000 ? fmt::format("{:.3g}", milliseconds) : fmt::format("{:.0f}", milliseconds),
          fmt::format("{:.0f}", static_cast<double>(evaluation.peak_memory) / kMebibyte),
          training ? std::to_string(training->steps) : "-",
          training ? duration_text(training->seconds) : "-",
          training ? fmt::format("{:.0f}", static_cast<double>(training->peak_memory) / kMebibyte) : "-"};
}

}  // namespace

std::string to_markdown(const std::vector<Evaluation>& evaluations) {
  const std::vector<std::string> titles = {
      "method",    "flip rate", "acc_s",        "L1 / L2",        "FD_mu x 1e5",    "JS",   "LSC (N)",     "FVA",
      "mask size", "mask > 0",  "ms per image", "MiB to explain", "training steps", "time", "MiB to train"};
  std::string table = fmt::format("| {} |\n", fmt::join(titles, " | "));
  table += fmt::format("| {} |\n", fmt::join(std::vector<std::string>(titles.size(), "---"), " | "));
  for (const Evaluation& evaluation : evaluations)
    table += fmt::format("| {} |\n", fmt::join(row_of(evaluation), " | "));
  return table;
}

}  // namespace counterfoil::app
