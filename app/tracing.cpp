#include "app/tracing.h"

#include <string>
#include <string_view>

#include "kernels/error.h"
#include "kernels/listening_device.h"
#include "kernels/trace.h"
#include "tensor/atomic_file.h"

namespace counterfoil::app {

namespace {

class Tracing {
 public:
  explicit Tracing(const std::filesystem::path& file) : file_(file) {
    on_open_device([this](Device& device) -> Device& { return trace_.listened(device); });
  }
  ~Tracing() { on_open_device({}); }
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

  void write() {
    constexpr std::size_t kAtOnce = std::size_t{1} << 20;
    std::string text;
    trace_.write([&](std::string_view part) {
      text += part;
      if (text.size() >= kAtOnce) {
        file_.write(text);
        text.clear();
      }
    });
    file_.write(text);
    file_.commit();
  }

 private:
  AtomicFile file_;
  Trace trace_;
};

}  // namespace

int run_traced(const std::filesystem::path& file, const std::function<int()>& command) {
  if (file.empty()) return command();
  Tracing tracing(file);
  int status = 0;
  try {
    status = command();
  } catch (...) {
    try {
      tracing.write();
    } catch (const Error&) {  // the command's own failure is what the user must read
    }
    throw;
  }
  tracing.write();
  return status;
}

}  // namespace counterfoil::app
