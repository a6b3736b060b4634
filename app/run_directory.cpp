#include "app/run_directory.h"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <unistd.h>

#include "kernels/error.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

void RunDirectory::create() const {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) fail("cannot make the folder {}: {}", folder_.string(), error.message());
  if (::access(folder_.c_str(), W_OK) != 0) fail("cannot write in the folder {}", folder_.string());
}

bool RunDirectory::holds_steps() const {
  std::error_code error;
  const std::uintmax_t lines = std::filesystem::file_size(metrics(), error);
  return std::filesystem::exists(checkpoint()) || (!error && lines > 0);
}

void RunDirectory::remove(bool folder_too) const {
  std::error_code ignored;
  for (const auto& file : {config(), splits(), metrics(), checkpoint(), model(), cost()}) {
    std::filesystem::remove(file, ignored);
  }
  if (!folder_too) return;
  std::filesystem::remove(log(), ignored);
  std::filesystem::remove(folder_, ignored);
}

std::optional<TrainingCost> read_cost(const RunDirectory& run) {
  if (!std::filesystem::exists(run.cost())) return std::nullopt;
  std::ifstream stream(run.cost());
  try {
    const nlohmann::json json = nlohmann::json::parse(stream);
    return TrainingCost{json.at("steps").get<std::int64_t>(), json.at("seconds").get<double>(),
                        static_cast<std::size_t>(json.at("peak_memory_mib").get<double>() * (1 << 20))};
  } catch (const nlohmann::json::exception& error) {
    fail("{}: not what a training wrote: {}", run.cost().string(), error.what());
  }
}

void write_cost(const RunDirectory& run, const TrainingCost& cost) {
  const nlohmann::ordered_json json = {{"steps", cost.steps},
                                       {"seconds", cost.seconds},
                                       {"peak_memory_mib", static_cast<double>(cost.peak_memory) / (1 << 20)}};
  write_text_atomically(run.cost(), json.dump(2) + "\n");
}

RunLock::RunLock(const RunDirectory& run) {
  descriptor_ = ::open(run.folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0) {
    fail("cannot open the folder {}: {}", run.folder().string(), std::generic_category().message(errno));
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor_);
    fail("{}: another process is training there", run.folder().string());
  }
}

RunLock::~RunLock() {
  ::close(descriptor_);
}

namespace {

// The header and the lines up to last_step; what follows was written after the checkpoint and will be written again.
std::string kept_lines(const std::filesystem::path& file, std::int64_t last_step, std::string& header) {
  std::ifstream stream(file);
  std::string kept, line;
  std::int64_t step = 0;
  if (std::getline(stream, header)) kept = header + "\n";
  while (step < last_step && std::getline(stream, line)) {
    const std::int64_t expected = step + 1;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), step);
    if (error != std::errc() || step != expected || *end != ',') {
      fail("{}: the line of step {} is missing", file.string(), expected);
    }
    kept += line + "\n";
  }
  if (step < last_step) fail("{}: it ends at step {}, the checkpoint is of step {}", file.string(), step, last_step);
  return kept;
}

}  // namespace

MetricsFile::MetricsFile(const std::filesystem::path& file, std::int64_t last_step) : file_(file) {
  write_text_atomically(file, last_step > 0 ? kept_lines(file, last_step, header_) : "");
  stream_.reset(std::fopen(file.c_str(), "a"));
  if (!stream_) fail_with_errno();
}

void MetricsFile::write(std::int64_t step, const nn::LossTerms& terms) {
  std::string names = "step", line = std::to_string(step);
  for (const auto& [name, value] : terms) {
    names += "," + name;
    line += fmt::format(",{}", value);
  }
  if (header_.empty()) {
    header_ = names;
    line = header_ + "\n" + line;
  } else if (names != header_) {
    fail("{}: the loss terms are {}, were {}", file_.string(), names, header_);
  }
  line += "\n";
  if (std::fwrite(line.data(), 1, line.size(), stream_.get()) != line.size()) fail_with_errno();
}

void MetricsFile::sync() {
  if (std::fflush(stream_.get()) != 0 || ::fsync(::fileno(stream_.get())) != 0) fail_with_errno();
}

void MetricsFile::fail_with_errno() const {
  const int code = errno;
  fail("cannot write {}: {}", file_.string(), std::generic_category().message(code));
}

}  // namespace counterfoil::app
