#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "kernels/cuda/vendor/convolution_graph.h"

namespace counterfoil::cuda {

/// Where a plan is to run: on the GPU of a handle; or, to be asked for and not executed, on one that is described in
/// cuDNN's JSON.
class PlanTarget {
 public:
  explicit PlanTarget(cudnnHandle_t handle) : handle_(handle) {}
  explicit PlanTarget(std::string_view properties);

  cudnnHandle_t handle() const { return handle_; }
  const Descriptor* properties() const { return properties_.get(); }

 private:
  cudnnHandle_t handle_ = nullptr;
  std::unique_ptr<Descriptor> properties_;
};

/// An engine of cuDNN, ready to run one convolution.
class ExecutionPlan {
 public:
  /// The first of the engines that cuDNN recommends, then of those it falls back to, that gives the same bits twice,
  /// needs at most kMostWorkspace, and multiplies in f32: none that rounds operands (tensor cores, with `tf32`
  /// allowed), transforms them (Winograd, FFT) or sums in an order of its own each time. Null where there is none.
  static std::unique_ptr<ExecutionPlan> find(const Convolution& convolution, const PlanTarget& target, bool tf32);

  static constexpr std::size_t kMostWorkspace = std::size_t{512} << 20;

  std::size_t workspace() const { return workspace_; }  ///< bytes
  std::int64_t engine() const { return engine_; }       ///< its number among the graph's engines
  /// Queues the convolution on the handle's stream; names[i] is the ConvolutionArray at pointers[i].
  void execute(cudnnHandle_t handle, std::span<const std::int64_t> names, std::span<void* const> pointers,
               void* workspace) const;

 private:
  ExecutionPlan(const Convolution& convolution, cudnnHandle_t handle) : graph_(convolution, handle) {}

  ConvolutionGraph graph_;
  Descriptor configuration_{CUDNN_BACKEND_ENGINECFG_DESCRIPTOR};
  Descriptor plan_{CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR};
  std::size_t workspace_ = 0;
  std::int64_t engine_ = 0;
};

}  // namespace counterfoil::cuda
