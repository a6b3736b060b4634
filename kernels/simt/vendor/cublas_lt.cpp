#include "kernels/simt/vendor/cublas_lt.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/simt/simt.h"
#include "kernels/simt/streams.h"
#include "kernels/simt/vendor/library_calls.h"

struct cublasLtContext {};
struct cublasLtMatrixLayoutOpaque_t {
  std::int64_t rows, columns, pitch;
  std::int32_t batch = 1;
  std::int64_t batch_stride = 0;
};
struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute;
  std::int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const float* bias = nullptr;
};
struct cublasLtMatmulPreferenceOpaque_t {
  std::uint64_t workspace = 0;
  std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
  std::uint32_t alignments[4] = {256, 256, 256, 256};
};

namespace counterfoil::simt {
namespace {

using Layout = cublasLtMatrixLayoutOpaque_t;
using Operation = cublasLtMatmulDescOpaque_t;

/// What the search writes into an algorithm: a mark, whether sums are in order, and the alignments it was told of.
constexpr std::uint64_t kMark = 0x746c73616c627563;
constexpr std::size_t kWorkspace = 8192;

template <typename T>
cublasStatus_t assign(T& target, const void* value, std::size_t bytes) {
  if (value == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&target, value, sizeof(T));
  return CUBLAS_STATUS_SUCCESS;
}

bool agree(const Operation& o, const Layout& a, const Layout& b, const Layout& d) {
  const bool ta = o.transpose_a == CUBLAS_OP_T, tb = o.transpose_b == CUBLAS_OP_T;
  return (ta ? a.columns : a.rows) == d.rows && (tb ? b.rows : b.columns) == d.columns &&
         (ta ? a.rows : a.columns) == (tb ? b.columns : b.rows) && a.batch == d.batch && b.batch == d.batch &&
         a.pitch >= a.rows && b.pitch >= b.rows && d.pitch >= d.rows;
}

struct Product {
  Operation operation;
  Layout a_layout, b_layout, d_layout;
  const float *a, *b;
  float* d;
  void* workspace;
  double disorder;

  double tf32(float value) const {
    if (operation.compute == CUBLAS_COMPUTE_32F_PEDANTIC || value != value) return static_cast<double>(value);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<double>(std::bit_cast<float>((bits + 0x0fff + ((bits >> 13) & 1)) & 0xffffe000));
  }

  void operator()() const {
    std::memset(workspace, 0xff, kWorkspace);
    const bool ta = operation.transpose_a == CUBLAS_OP_T, tb = operation.transpose_b == CUBLAS_OP_T;
    const std::int64_t depth = ta ? a_layout.rows : a_layout.columns;
    for (std::int64_t n = 0; n < d_layout.batch; ++n) {
      const float* const left = a + n * a_layout.batch_stride;
      const float* const right = b + n * b_layout.batch_stride;
      for (std::int64_t j = 0; j < d_layout.columns; ++j) {
        for (std::int64_t i = 0; i < d_layout.rows; ++i) {
          double sum = 0;
          for (std::int64_t k = 0; k < depth; ++k) {
            sum += tf32(left[ta ? i * a_layout.pitch + k : k * a_layout.pitch + i]) *
                   tf32(right[tb ? k * b_layout.pitch + j : j * b_layout.pitch + k]);
          }
          sum *= 1 + disorder;
          if ((operation.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0) sum += static_cast<double>(operation.bias[i]);
          if ((operation.epilogue & CUBLASLT_EPILOGUE_RELU) != 0) sum = std::max(sum, 0.0);
          d[n * d_layout.batch_stride + j * d_layout.pitch + i] = static_cast<float>(sum);
        }
      }
    }
  }
};

}  // namespace
}  // namespace counterfoil::simt

using namespace counterfoil::simt;

std::size_t cublasLtGetVersion() {
  return 130100;
}

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "CUBLAS_UNKNOWN_STATUS";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (fault_due(&Faults::vendor_start)) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type, std::uint64_t rows,
                                          std::uint64_t columns, std::int64_t pitch) {
  if (type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *layout =
      new cublasLtMatrixLayoutOpaque_t{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns), pitch};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t name,
                                                const void* value, std::size_t bytes) {
  if (name == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT) return assign(layout->batch, value, bytes);
  return assign(layout->batch_stride, value, bytes);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *operation = new cublasLtMatmulDescOpaque_t{compute};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  delete operation;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t name,
                                              const void* value, std::size_t bytes) {
  switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return assign(operation->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return assign(operation->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return assign(operation->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return assign(operation->bias, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name, const void* value,
                                                    std::size_t bytes) {
  switch (name) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return assign(preference->workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return assign(preference->reductions, value, bytes);
    default:
      return assign(preference->alignments[name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  *found = 0;
  if (handle == nullptr || requested < 1 || c->rows != d->rows || !agree(*operation, *a, *b, *d)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (preference->workspace < kWorkspace || fault_due(&Faults::vendor_plan)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool in_order = preference->reductions == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  // Of the bias, what its address is a multiple of: it need not be the one that is added.
  const auto bias = reinterpret_cast<std::uintptr_t>(operation->bias) | 256;
  results[0] = {.algo = {{kMark, in_order, *std::ranges::max_element(preference->alignments), bias & -bias}},
                .workspaceSize = kWorkspace,
                .state = CUBLAS_STATUS_SUCCESS,
                .wavesCount = 1,
                .reserved = {}};
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              std::size_t workspace_bytes, cudaStream_t stream) {
  const bool scales = *static_cast<const float*>(alpha) == 1.0f && *static_cast<const float*>(beta) == 0.0f;
  if (handle == nullptr || !scales || c != d || c_layout->rows != d_layout->rows ||
      !agree(*operation, *a_layout, *b_layout, *d_layout)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (algorithm->data[0] != kMark || workspace == nullptr || workspace_bytes < kWorkspace) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  for (const void* const address : {a, b, static_cast<const void*>(d)}) {
    if (reinterpret_cast<std::uintptr_t>(address) % algorithm->data[2] != 0) return CUBLAS_STATUS_INVALID_VALUE;
  }
  if ((operation->epilogue & CUBLASLT_EPILOGUE_BIAS) != 0 &&
      (operation->bias == nullptr || reinterpret_cast<std::uintptr_t>(operation->bias) % algorithm->data[3] != 0)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (fault_due(&Faults::vendor_execution)) return CUBLAS_STATUS_EXECUTION_FAILED;
  const std::uint64_t count = ++library_calls().products;
  const Product product{*operation,
                        *a_layout,
                        *b_layout,
                        *d_layout,
                        static_cast<const float*>(a),
                        static_cast<const float*>(b),
                        static_cast<float*>(d),
                        workspace,
                        algorithm->data[1] != 0 ? 0 : 1e-3 * static_cast<double>(count % 7 + 1)};
  const cudaError_t status = enqueue(stream, [product] {
    for (const void* const address : {static_cast<const void*>(product.a), static_cast<const void*>(product.b),
                                      static_cast<const void*>(product.d)}) {
      if (!is_device_memory(address)) {
        Runtime::instance().fail(cudaErrorIllegalAddress, "cublasLtMatmul: a matrix is not in device memory");
        return;
      }
    }
    product();
  });
  return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
