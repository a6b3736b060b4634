#pragma once

#include <cstdint>
#include <map>
#include <string>

// The calls of NVTX that the project uses, emulated: a thread's ranges are counted, for tests.

int nvtxRangePushA(const char* name);  ///< how many ranges were open before
int nvtxRangePop();                    ///< how many are open still; negative where none was

namespace counterfoil::simt {

/// How often this thread has opened each range.
const std::map<std::string, std::uint64_t>& opened_ranges();
/// How many of them are open.
int open_ranges();

}  // namespace counterfoil::simt
