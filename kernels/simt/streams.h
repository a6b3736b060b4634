#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernels/simt/runtime.h"

// The state behind the emulated runtime: streams with their queues, the capture in progress, the failure of a queued
// operation that no call has reported yet.

namespace counterfoil::simt {

using Work = std::function<void()>;

struct Capture {
  cudaStream_t origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::vector<Work> work;
  bool invalid = false;
};

}  // namespace counterfoil::simt

struct CUstream_st {
  struct Operation {
    std::uint64_t serial;  ///< in the order of issue over all streams
    counterfoil::simt::Work work;
  };
  bool blocking = true;  ///< ordered with stream 0
  std::deque<Operation> queue;
  std::shared_ptr<counterfoil::simt::Capture> capture;
  bool joined = true;  ///< what was captured here is waited for by another capturing stream
};

struct CUevent_st {
  bool timed = true;
  bool recorded = false, pending = false;
  std::shared_ptr<CUstream_st> stream;  ///< of the last record
  std::uint64_t serial = 0;
  std::chrono::steady_clock::time_point time;
  std::shared_ptr<counterfoil::simt::Capture> capture;  ///< the capture that recorded it last
};

struct CUgraph_st {
  std::vector<counterfoil::simt::Work> work;
};
struct CUgraphExec_st {
  std::vector<counterfoil::simt::Work> work;
};

namespace counterfoil::simt {

class Runtime {
 public:
  static Runtime& instance();

  std::recursive_mutex mutex;
  std::map<cudaStream_t, std::shared_ptr<CUstream_st>> streams;
  std::map<cudaEvent_t, std::shared_ptr<CUevent_st>> events;
  const std::shared_ptr<CUstream_st> legacy = std::make_shared<CUstream_st>();  ///< stream 0
  std::vector<std::shared_ptr<Capture>> captures;                               ///< in progress

  /// The stream of a handle, null for an unknown one.
  std::shared_ptr<CUstream_st> find(cudaStream_t stream);
  /// Appends to the stream's queue, or to the graph being captured.
  cudaError_t append(CUstream_st& stream, Work work);
  std::uint64_t last_serial() const { return serial_; }

  /// Executes what was issued to the stream up to `serial`, and what that must wait for; then the failure, if any,
  /// once.
  cudaError_t run(CUstream_st& stream, std::uint64_t serial = ~std::uint64_t{0});
  cudaError_t run_everything();
  /// For calls that no capture allows: the error that ends the captures in progress, or success where there are none.
  cudaError_t forbid_capture();

  /// Called by an operation: everything still queued is dropped, as on a device whose context is lost.
  void fail(cudaError_t error, std::string text);
  const std::string& failure_text() const { return failure_text_; }

 private:
  void execute(CUstream_st& stream, std::uint64_t serial);

  std::uint64_t serial_ = 0;
  cudaError_t failure_ = cudaSuccess;
  std::string failure_text_;
};

/// Remembers an error for cudaGetLastError and passes it on.
cudaError_t noted(cudaError_t error);

/// Runs a runtime call under the lock.
template <typename Body>
cudaError_t call(Body body) {
  Runtime& runtime = Runtime::instance();
  const std::lock_guard lock(runtime.mutex);
  return noted(body(runtime));
}

}  // namespace counterfoil::simt
