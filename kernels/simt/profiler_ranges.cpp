#include "kernels/simt/profiler_ranges.h"

namespace counterfoil::simt {
namespace {

struct Ranges {
  std::map<std::string, std::uint64_t> opened;
  int open = 0;
};

Ranges& ranges() {
  thread_local Ranges of_thread;
  return of_thread;
}

}  // namespace

const std::map<std::string, std::uint64_t>& opened_ranges() {
  return ranges().opened;
}

int open_ranges() {
  return ranges().open;
}

}  // namespace counterfoil::simt

using counterfoil::simt::ranges;

int nvtxRangePushA(const char* name) {
  ++ranges().opened[name];
  return ranges().open++;
}

int nvtxRangePop() {
  constexpr int kNoneOpen = -2;
  return ranges().open > 0 ? --ranges().open : kNoneOpen;
}
