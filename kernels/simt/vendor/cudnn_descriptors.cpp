#include "kernels/simt/vendor/cudnn_descriptors.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "kernels/simt/simt.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace counterfoil::simt {
namespace {

/// An attribute that a descriptor may have: how it is typed, how many values at least and at most, and whether there
/// must be some.
struct Rule {
  cudnnBackendDescriptorType_t descriptor;
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  std::int64_t fewest, most;
  bool required;
};

constexpr auto kInt = CUDNN_TYPE_INT64;
constexpr auto kObject = CUDNN_TYPE_BACKEND_DESCRIPTOR;

constexpr Rule kRules[] = {
    {CUDNN_BACKEND_POINTWISE_DESCRIPTOR, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, 1, true},
    {CUDNN_BACKEND_POINTWISE_DESCRIPTOR, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, 1, true},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1, true},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, 1, true},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, kInt, 1, 1, true},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_DILATIONS, kInt, 2, 2, true},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, kInt, 2, 2, true},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, kInt, 2, 2, true},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, kInt, 2, 2, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
     CUDNN_TYPE_FLOAT, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
     CUDNN_TYPE_FLOAT, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, kObject, 1, 1,
     true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, kObject, 1, 1,
     true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, kObject, 1, 1,
     true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_TYPE_FLOAT, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
     CUDNN_TYPE_FLOAT, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, kObject,
     1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
     kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
     kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_TYPE_FLOAT, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
     CUDNN_TYPE_FLOAT, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
     kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
     kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, kObject, 1, 1, false},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, kObject, 1, 1, true},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, 1, false},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_OPS, kObject, 1, 64, true},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kInt, 1, 1, true},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1, true},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_DIMENSIONS, kInt, 4, 4, true},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_STRIDES, kInt, 4, 4, true},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_UNIQUE_ID, kInt, 1, 1, true},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, 1, false},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, 1, true},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, kObject, 1, 1, true},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, kObject, 1, 1, false},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, 1, false},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, kObject, 1, 1, true},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, kObject, 1, 1, false},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, kInt, 1, 64, true},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 1, 64, true},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, 1, true},
    {CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 1, 1 << 20, true},
};

std::size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
      return 1;
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return 8;
    default:
      return 4;
  }
}

/// Engines of a mode, best first, with what is to be known of each.
std::vector<std::int64_t> engines_for(const ConvolutionWork& work, cudnnBackendHeurMode_t mode) {
  const bool forward = work.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
  const bool weight_grad = work.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
  const bool dilated = work.dilation[0] > 1 || work.dilation[1] > 1;
  if (weight_grad && work.groups > 1) return {20};
  if (mode == CUDNN_HEUR_MODE_FALLBACK) return {0};
  if (dilated && !forward) return {20, 48, 12};
  return {20, 48, 12, 28};
}

std::vector<cudnnBackendNumericalNote_t> notes_of(std::int64_t engine) {
  switch (engine) {
    case 0:
      return {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP};
    case 12:
      return {CUDNN_NUMERICAL_NOTE_WINOGRAD};
    case 20:
      return {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
    case 48:
      return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
    default:
      return {};
  }
}

std::map<cudnnBackendDescriptor_t, std::unique_ptr<CudnnDescriptor>>& descriptors() {
  static auto& map = *new std::map<cudnnBackendDescriptor_t, std::unique_ptr<CudnnDescriptor>>;
  return map;
}

CudnnDescriptor* find(cudnnBackendDescriptor_t handle) {
  const auto found = descriptors().find(handle);
  return found != descriptors().end() ? found->second.get() : nullptr;
}

std::string& last_error() {
  thread_local std::string text;
  return text;
}

/// Stores values as SetAttribute does.
void store(CudnnDescriptor& descriptor, cudnnBackendAttributeName_t name, std::int64_t count, const void* values,
           std::size_t size) {
  const auto* const first = static_cast<const std::byte*>(values);
  descriptor.attributes[name] = {count, {first, first + static_cast<std::size_t>(count) * size}};
}

/// Results of a heuristic, written into the caller's configurations.
cudnnStatus_t get_results(const CudnnDescriptor& heuristic, std::int64_t room, std::int64_t* count, void* values) {
  const auto graph = heuristic.one<cudnnBackendDescriptor_t>(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
  ConvolutionWork work;
  if (const cudnnStatus_t status = read_graph(graph, work); status != CUDNN_STATUS_SUCCESS) return status;
  const auto engines = engines_for(work, heuristic.one<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE));
  *count = static_cast<std::int64_t>(engines.size());
  if (room == 0) return CUDNN_STATUS_SUCCESS;
  *count = std::min(*count, room);
  for (std::int64_t i = 0; i < *count; ++i) {
    CudnnDescriptor* const result = find(static_cast<cudnnBackendDescriptor_t*>(values)[i]);
    if (result == nullptr || result->type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR) {
      return refused(CUDNN_STATUS_BAD_PARAM, "results of a heuristic go to configurations of engines");
    }
    result->engine = engines[static_cast<std::size_t>(i)];
    store(*result, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, 1, &graph, sizeof graph);
    result->finalized = true;
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

std::recursive_mutex& cudnn_mutex() {
  static auto& mutex = *new std::recursive_mutex;
  return mutex;
}

cudnnStatus_t refused(cudnnStatus_t status, std::string text) {
  last_error() = std::move(text);
  return status;
}

const CudnnDescriptor* finalized_descriptor(cudnnBackendDescriptor_t handle, cudnnBackendDescriptorType_t type) {
  const CudnnDescriptor* const descriptor = find(handle);
  return descriptor != nullptr && descriptor->finalized && descriptor->type == type ? descriptor : nullptr;
}

}  // namespace counterfoil::simt

using namespace counterfoil::simt;

std::size_t cudnnGetVersion() {
  return 91900;
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
      return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_BAD_PARAM_NULL_POINTER:
      return "CUDNN_STATUS_BAD_PARAM_NULL_POINTER";
    case CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER:
      return "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER";
    case CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED:
      return "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED";
    case CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH:
      return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
    case CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE:
      return "CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN:
      return "CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN";
    case CUDNN_STATUS_EXECUTION_FAILED:
      return "CUDNN_STATUS_EXECUTION_FAILED";
  }
  return "CUDNN_UNKNOWN_STATUS";
}

void cudnnGetLastErrorString(char* message, std::size_t max_size) {
  if (max_size == 0) return;
  const std::size_t length = std::min(last_error().size(), max_size - 1);
  std::memcpy(message, last_error().data(), length);
  message[length] = '\0';
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  if (fault_due(&Faults::vendor_start)) return refused(CUDNN_STATUS_NOT_INITIALIZED, "injected fault");
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
  const std::lock_guard lock(cudnn_mutex());
  auto created = std::make_unique<CudnnDescriptor>();
  created->type = type;
  *descriptor = created.get();
  descriptors().emplace(*descriptor, std::move(created));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  const std::lock_guard lock(cudnn_mutex());
  return descriptors().erase(descriptor) > 0 ? CUDNN_STATUS_SUCCESS
                                             : refused(CUDNN_STATUS_BAD_PARAM, "destroyed before, or never created");
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t count, const void* values) {
  const std::lock_guard lock(cudnn_mutex());
  CudnnDescriptor* const target = find(descriptor);
  if (target == nullptr || target->finalized) return refused(CUDNN_STATUS_BAD_PARAM, "no descriptor to be filled");
  const auto* const rule =
      std::ranges::find_if(kRules, [&](const Rule& one) { return one.descriptor == target->type && one.name == name; });
  if (rule == std::end(kRules)) return refused(CUDNN_STATUS_BAD_PARAM, "the descriptor has no such attribute");
  if (rule->type != type) return refused(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "the attribute has another type");
  if (count < rule->fewest || count > rule->most || values == nullptr) {
    return refused(CUDNN_STATUS_BAD_PARAM,
                   fmt::format("{} values, between {} and {}", count, rule->fewest, rule->most));
  }
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    for (std::int64_t i = 0; i < count; ++i) {
      const CudnnDescriptor* const part = find(static_cast<const cudnnBackendDescriptor_t*>(values)[i]);
      if (part == nullptr || !part->finalized) {
        return refused(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a descriptor refers to one that is not finalized");
      }
    }
  }
  store(*target, name, count, values, size_of(type));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t room, std::int64_t* count,
                                       void* values) {
  const std::lock_guard lock(cudnn_mutex());
  const CudnnDescriptor* const source = find(descriptor);
  if (source == nullptr || !source->finalized) {
    return refused(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "attributes are read of a finalized descriptor");
  }
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS && type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    return get_results(*source, room, count, values);
  }
  *count = 1;
  if (name == CUDNN_ATTR_ENGINECFG_ENGINE && type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    if (room == 0) return CUDNN_STATUS_SUCCESS;
    CudnnDescriptor* const engine = find(*static_cast<cudnnBackendDescriptor_t*>(values));
    if (engine == nullptr || engine->type != CUDNN_BACKEND_ENGINE_DESCRIPTOR) {
      return refused(CUDNN_STATUS_BAD_PARAM, "the engine of a configuration goes to an engine");
    }
    engine->engine = source->engine;
    engine->finalized = true;
    return CUDNN_STATUS_SUCCESS;
  }
  if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE && type == CUDNN_TYPE_NUMERICAL_NOTE) {
    const auto notes = notes_of(source->engine);
    *count = std::min(room, static_cast<std::int64_t>(notes.size()));
    std::copy_n(notes.begin(), *count, static_cast<cudnnBackendNumericalNote_t*>(values));
    return CUDNN_STATUS_SUCCESS;
  }
  if (name == CUDNN_ATTR_ENGINE_GLOBAL_INDEX && type == CUDNN_TYPE_INT64) {
    *static_cast<std::int64_t*>(values) = source->engine;
    return CUDNN_STATUS_SUCCESS;
  }
  if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE && type == CUDNN_TYPE_INT64) {
    *static_cast<std::int64_t*>(values) = source->engine == 0 ? 0 : kCudnnWorkspace;
    return CUDNN_STATUS_SUCCESS;
  }
  return refused(CUDNN_STATUS_BAD_PARAM, "no attribute that can be read");
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  const std::lock_guard lock(cudnn_mutex());
  CudnnDescriptor* const target = find(descriptor);
  if (target == nullptr || target->finalized) return refused(CUDNN_STATUS_BAD_PARAM, "no descriptor to be finalized");
  for (const Rule& rule : kRules) {
    if (rule.descriptor == target->type && rule.required && !target->has(rule.name)) {
      return refused(CUDNN_STATUS_BAD_PARAM, fmt::format("attribute {} is missing", static_cast<int>(rule.name)));
    }
  }
  ConvolutionWork work;
  if (target->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
    const auto graph = target->one<cudnnBackendDescriptor_t>(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    if (const cudnnStatus_t status = read_graph(graph, work); status != CUDNN_STATUS_SUCCESS) return status;
  }
  if (target->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    if (fault_due(&Faults::vendor_plan)) return refused(CUDNN_STATUS_NOT_SUPPORTED, "injected fault");
    const auto configuration = target->one<cudnnBackendDescriptor_t>(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    target->engine = find(configuration)->engine;
  }
  target->finalized = true;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t variant_pack) {
  const std::lock_guard lock(cudnn_mutex());
  const auto* const chosen = finalized_descriptor(plan, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  const auto* const pack = finalized_descriptor(variant_pack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  if (handle == nullptr || chosen == nullptr || pack == nullptr) {
    return refused(CUDNN_STATUS_BAD_PARAM, "a handle, a finalized plan and a finalized variant pack are needed");
  }
  const auto* const configuration =
      finalized_descriptor(chosen->one<cudnnBackendDescriptor_t>(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG),
                           CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  if (configuration == nullptr) return refused(CUDNN_STATUS_BAD_PARAM, "the plan's configuration was destroyed");
  ConvolutionWork work;
  const auto graph = configuration->one<cudnnBackendDescriptor_t>(CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
  if (const cudnnStatus_t status = read_graph(graph, work); status != CUDNN_STATUS_SUCCESS) return status;
  const auto names = pack->list<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto addresses = pack->list<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  if (names.size() != addresses.size()) return refused(CUDNN_STATUS_BAD_PARAM, "as many names as pointers");
  std::map<std::int64_t, void*> pointers;
  for (std::size_t i = 0; i < names.size(); ++i) pointers[names[i]] = addresses[i];
  if (fault_due(&Faults::vendor_execution)) return refused(CUDNN_STATUS_EXECUTION_FAILED, "injected fault");
  return queue_convolution(work, chosen->engine, pointers, pack->one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE),
                           handle->stream);
}
