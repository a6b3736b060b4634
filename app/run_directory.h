#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "app/config.h"
#include "nn/trainable.h"

namespace counterfoil::app {

/// What one training run leaves behind:
///   config.toml             the resolved settings; `--resume` reads them back
///   splits.json             which image went where, with checksums
///   metrics.csv             step and loss terms, a line per step; the same bits every time
///   checkpoint.safetensors  the last checkpoint, while training goes on and after
///   model.safetensors       the networks, once training has ended
///   cost.json               steps, seconds and peak_memory_mib of the training; of no two runs the same
///   log.txt                 what was printed, with the time
class RunDirectory {
 public:
  explicit RunDirectory(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path config() const { return folder_ / "config.toml"; }
  std::filesystem::path splits() const { return folder_ / "splits.json"; }
  std::filesystem::path metrics() const { return folder_ / "metrics.csv"; }
  std::filesystem::path checkpoint() const { return folder_ / "checkpoint.safetensors"; }
  std::filesystem::path model() const { return folder_ / "model.safetensors"; }
  std::filesystem::path cost() const { return folder_ / "cost.json"; }
  std::filesystem::path log() const { return folder_ / "log.txt"; }
  const std::filesystem::path& folder() const { return folder_; }

  /// Makes the folder where it is missing. Throws Error with the system's reason.
  void create() const;
  /// Whether a step of training left something: a checkpoint, or a line in metrics.csv.
  bool holds_steps() const;
  /// Removes the files of a run but its log; `folder_too`: the log as well, and the folder where nothing else is in it.
  void remove(bool folder_too) const;

 private:
  std::filesystem::path folder_;
};

/// What a training took, all its processes together; those that were killed are not counted.
struct TrainingCost {
  std::int64_t steps = 0;
  double seconds = 0;           ///< wall time
  std::size_t peak_memory = 0;  ///< bytes of tensors on the device, the most at once
};
/// Nothing where there is no cost.json; throws Error where it is damaged.
std::optional<TrainingCost> read_cost(const RunDirectory& run);
void write_cost(const RunDirectory& run, const TrainingCost& cost);

/// Keeps a second process out of a run directory while it lives. Throws Error when another one is in it.
class RunLock {
 public:
  explicit RunLock(const RunDirectory& run);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

/// metrics.csv: a header and a line per step; numbers as the shortest text that reads back exactly.
class MetricsFile {
 public:
  /// Keeps the lines up to and including step `last_step` and appends after them. Throws Error when they are not all
  /// there.
  MetricsFile(const std::filesystem::path& file, std::int64_t last_step);
  /// The names are those of the first line; Error otherwise.
  void write(std::int64_t step, const nn::LossTerms& terms);
  /// On disk when it returns.
  void sync();

 private:
  [[noreturn]] void fail_with_errno() const;

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path file_;
  std::string header_;
  std::unique_ptr<std::FILE, Close> stream_;
};

}  // namespace counterfoil::app
