#include "app/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

#include <fmt/chrono.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace counterfoil::app {

namespace {

constexpr std::chrono::milliseconds kBarInterval{100};
constexpr std::chrono::seconds kLineInterval{5};

std::size_t terminal_width() {
  winsize size{};
  constexpr std::size_t kUsual = 80;
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

std::string terms_text(const nn::LossTerms& terms) {
  std::string text;
  for (const auto& [name, value] : terms) text += fmt::format("  {} {:.4g}", name, value);
  return text;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(std::max(seconds, 0.0)));
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

std::string peak_memory_text(const Device& device) {
  constexpr double kMebibyte = 1 << 20;
  return fmt::format("peak memory {:.1f} MiB of tensors on {}",
                     static_cast<double>(device.memory_use().high_water) / kMebibyte, device.name());
}

Progress::Progress(std::int64_t start, std::int64_t steps, std::int64_t images_per_step,
                   const std::filesystem::path& log, std::string unit)
    : start_(start),
      steps_(steps),
      images_per_step_(images_per_step),
      unit_(std::move(unit)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      shown_(began_),
      logged_(began_) {
  if (!log.empty()) log_.open(log, std::ios::app);
}

Progress::~Progress() {
  clear_bar();
}

std::string Progress::status(std::int64_t step, const nn::LossTerms& terms) const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - began_).count();
  const double rate = static_cast<double>(step - start_) / std::max(elapsed, 1e-9);
  const double images = rate * static_cast<double>(images_per_step_);
  const std::string speed = images_per_step_ == 0 ? "" : fmt::format("  {:.{}f} images/s", images, images < 1 ? 2 : 0);
  return fmt::format("{} {}/{}{}{}  {} left", unit_, step, steps_, terms_text(terms), speed,
                     duration_text(static_cast<double>(steps_ - step) / std::max(rate, 1e-9)));
}

void Progress::step(std::int64_t step, const nn::LossTerms& terms) {
  const Clock::time_point now = Clock::now();
  if (now - logged_ >= kLineInterval || step == steps_) {
    const std::string line = status(step, terms);
    log(line);
    if (!terminal_) std::fprintf(stderr, "%s\n", line.c_str());
    logged_ = now;
  }
  if (terminal_ && (now - shown_ >= kBarInterval || step == steps_)) {
    constexpr std::size_t kBar = 20;
    const auto filled =
        static_cast<std::size_t>(step * static_cast<std::int64_t>(kBar) / std::max<std::int64_t>(steps_, 1));
    std::string line = "[" + std::string(filled, '#') + std::string(kBar - filled, ' ') + "] " + status(step, terms);
    line.resize(std::min(line.size(), terminal_width() - 1));
    std::fprintf(stderr, "\r\x1B[K%s", line.c_str());
    bar_visible_ = true;
    shown_ = now;
  }
}

void Progress::say(const std::string& line) {
  clear_bar();
  std::fprintf(stderr, "%s\n", line.c_str());
  log(line);
}

void Progress::log(const std::string& line) {
  log_ << fmt::format("{:%Y-%m-%d %H:%M:%S} {}\n", fmt::gmtime(std::time(nullptr)), line) << std::flush;
}

void Progress::clear_bar() {
  if (bar_visible_) std::fputc('\n', stderr);
  bar_visible_ = false;
}

}  // namespace counterfoil::app
