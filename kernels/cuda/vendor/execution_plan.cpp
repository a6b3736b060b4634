#include "kernels/cuda/vendor/execution_plan.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace counterfoil::cuda {

namespace {

bool may_be_used(const std::vector<cudnnBackendNumericalNote_t>& notes, bool tf32) {
  return std::ranges::all_of(notes, [&](cudnnBackendNumericalNote_t note) {
    if (note == CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP) return true;
    // Of f32 arrays a tensor core multiplies TF32; down-conversion would be to 16 bits.
    return tf32 && note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
  });
}

/// Engine configurations, best first; none where the library knows none in this mode.
std::vector<Descriptor> recommended(const ConvolutionGraph& graph, const PlanTarget& target,
                                    cudnnBackendHeurMode_t mode) {
  Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.get());
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (target.properties() != nullptr) heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.properties());
  if (!heuristic.try_finalize()) return {};
  return heuristic.get_list(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
}

}  // namespace

PlanTarget::PlanTarget(std::string_view properties)
    : properties_(std::make_unique<Descriptor>(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)) {
  properties_->set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, properties);
  properties_->finalize();
}

std::unique_ptr<ExecutionPlan> ExecutionPlan::find(const Convolution& convolution, const PlanTarget& target,
                                                   bool tf32) {
  std::unique_ptr<ExecutionPlan> found(new ExecutionPlan(convolution, target.handle()));
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (Descriptor& configuration : recommended(found->graph_, target, mode)) {
      const Descriptor engine = configuration.get_object(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
      if (!may_be_used(engine.get_notes(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE), tf32)) continue;
      Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      if (target.handle() != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle());
      if (target.properties() != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.properties());
      plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
      if (!plan.try_finalize()) continue;  // recommended, and yet not for this driver or these extents
      found->workspace_ = static_cast<std::size_t>(plan.get_int(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
      if (found->workspace_ > kMostWorkspace) continue;
      found->engine_ = engine.get_int(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
      found->configuration_ = std::move(configuration);
      found->plan_ = std::move(plan);
      return found;
    }
  }
  return nullptr;
}

void ExecutionPlan::execute(cudnnHandle_t handle, std::span<const std::int64_t> names, std::span<void* const> pointers,
                            void* workspace) const {
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, names);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers);
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
  pack.finalize();
  check(cudnnBackendExecute(handle, plan_.get(), pack.get()), "cudnnBackendExecute");
}

}  // namespace counterfoil::cuda
