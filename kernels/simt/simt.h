#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

// Controls of the host execution layer, for tests and for debugging. Whole programs are controlled by the environment
// variable COUNTERFOIL_SIMT, a comma-separated list, read once:
//   schedule=ascending|descending|shuffled  seed=N  workers=N  fail_allocation=N  fail_launch=N  refuse_launch=N
//   fail_vendor_start=N  fail_vendor_plan=N  fail_vendor_execution=N
//   memory=BYTES  driver=N  devices=N  capability=N  memory_traffic=1 (the table is printed to stderr at exit)

namespace counterfoil::simt {

/// The order in which blocks start, and in which the threads of a block start and leave barriers and warp operations. A
/// correct kernel gives the same bits under each. `shuffled` draws a new order from the seed at every block and
/// barrier.
enum class Schedule : std::uint8_t { ascending, descending, shuffled };

struct Options {
  Schedule schedule = Schedule::ascending;
  std::uint64_t seed = 0;       ///< of the shuffled schedule
  bool memory_traffic = false;  ///< with the race check linked: count sectors and bank conflicts by source line
  int workers = 0;              ///< OS threads over which blocks are spread; 0 means one per core, at most 16
  /// Asked at each launch for the one block of it to run, for grids over more memory than there is; negative: for all.
  std::function<std::int64_t()> only_block = nullptr;
};

/// Throws Error on a negative number of workers.
void set_options(const Options& options);
/// The options in force; at first those of the environment. Throws Error naming the part of it that is not understood.
Options options();

/// Faults to inject into the runtime: 0 counts nothing down, N makes the N-th call from now fail, once. And the machine
/// that is emulated.
struct Faults {
  std::uint64_t allocation = 0;               ///< cudaMalloc returns cudaErrorMemoryAllocation
  std::uint64_t launch = 0;                   ///< a kernel fails while it runs, as on an illegal address
  std::uint64_t refused_launch = 0;           ///< a launch is refused with cudaErrorInvalidConfiguration
  std::uint64_t vendor_start = 0;             ///< cudnnCreate or cublasLtCreate finds no device
  std::uint64_t vendor_plan = 0;              ///< an engine that cuDNN recommends, or cuBLAS's search, is refused
  std::uint64_t vendor_execution = 0;         ///< a convolution or product is refused
  std::size_t memory = std::size_t{8} << 30;  ///< bytes of the device
  int driver = 13000;                         ///< the CUDA version it is for, as cudaDriverGetVersion says; 0: none
  int devices = 1;                            ///< none or one
  int capability = 80;                        ///< compute capability 8.0
};
void set_faults(const Faults& faults);
Faults faults();
/// Counts a call; true when it is the one to fail.
bool fault_due(std::uint64_t Faults::*counter);

/// How often each kernel was started since the program began, by readable name ("reduce_kernel<float>").
std::map<std::string, std::uint64_t> launches();

}  // namespace counterfoil::simt
