#pragma once

#include <exception>
#include <functional>
#include <vector>

#include "kernels/caching_allocator.h"
#include "kernels/cuda/recording.h"
#include "kernels/graph.h"

namespace counterfoil::cuda {

/// A CUDA graph with the memory that it uses and the table of what changes between its launches.
class RecordedGraph final : public Graph {
 public:
  /// Records `work` from the stream of the device.
  RecordedGraph(Device& device, CachingAllocator& allocator, cudaStream_t stream, const std::function<void()>& work)
      : device_(device), allocator_(allocator), stream_(stream) {
    try {
      record(work);
    } catch (...) {
      release();
      throw;
    }
  }
  ~RecordedGraph() override {
    cudaStreamSynchronize(stream_);  // its launches may not have run yet
    release();
  }

  const std::vector<Draw>& draws() const override { return recording_.draws(); }
  const std::vector<Update>& updates() const override { return recording_.updates(); }

  void launch(const Changes& changes) override {
    const std::vector<std::byte> contents = recording_.contents(changes);
    if (!contents.empty()) device_.copy_from_host(table_, contents.data(), contents.size());
    const Range range("graph");
    check(cudaGraphLaunch(executable_, stream_), "cudaGraphLaunch");
  }

 private:
  void record(const std::function<void()>& work) {
    if (Recording::active() != nullptr) fail("graph: one is being recorded already");
    // Relaxed: where the cache has no block of a size, the allocator may ask the driver for one.
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
    allocator_.begin_reserve(reserve_);
    Recording::active() = &recording_;
    std::exception_ptr failure;
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
    Recording::active() = nullptr;
    allocator_.end_reserve();
    const cudaError_t status = cudaStreamEndCapture(stream_, &graph_);
    if (failure != nullptr) {
      cudaGetLastError();
      std::rethrow_exception(failure);
    }
    check(status, "cudaStreamEndCapture");
    check(cudaGraphInstantiate(&executable_, graph_, 0), "cudaGraphInstantiate");
  }

  void release() {
    if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
    allocator_.dissolve(reserve_);
    device_.release(table_, Recording::kBytes);
  }

  Device& device_;
  CachingAllocator& allocator_;
  cudaStream_t stream_;
  CachingAllocator::Reserve reserve_;
  std::byte* table_ = static_cast<std::byte*>(device_.allocate(Recording::kBytes));
  Recording recording_{table_};
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace counterfoil::cuda
