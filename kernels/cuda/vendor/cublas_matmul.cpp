#include "kernels/cuda/vendor/cublas_matmul.h"

#include <string_view>
#include <utility>

#include "kernels/error.h"
#include "kernels/scratch.h"

namespace counterfoil::cuda {

namespace {

void check(cublasStatus_t status, std::string_view what) {
  if (status != CUBLAS_STATUS_SUCCESS) fail("cuBLAS: {}: {}", what, cublasLtGetStatusName(status));
}

constexpr std::uintptr_t kAligned = 16;  // what every matrix and bias must be

bool aligned(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % kAligned == 0;
}

/// An object of cuBLASLt for the life of this one.
template <typename Handle, cublasStatus_t (*destroy)(Handle)>
struct Owned {
  Handle handle = nullptr;
  Owned() = default;
  ~Owned() {
    if (handle != nullptr) destroy(handle);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
};

using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

template <typename T>
void set(Layout& layout, cublasLtMatrixLayoutAttribute_t name, T value) {
  check(cublasLtMatrixLayoutSetAttribute(layout.handle, name, &value, sizeof value), "matrix layout");
}
template <typename T>
void set(Operation& operation, cublasLtMatmulDescAttributes_t name, T value) {
  check(cublasLtMatmulDescSetAttribute(operation.handle, name, &value, sizeof value), "matmul descriptor");
}
template <typename T>
void set(Preference& preference, cublasLtMatmulPreferenceAttributes_t name, T value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference.handle, name, &value, sizeof value), "matmul preference");
}

/// A matrix of rows x columns in memory, in our order; cuBLAS, whose columns are contiguous, sees its transpose.
void make(Layout& layout, std::int64_t rows, std::int64_t columns, std::int64_t batch) {
  check(cublasLtMatrixLayoutCreate(&layout.handle, CUDA_R_32F, static_cast<std::uint64_t>(columns),
                                   static_cast<std::uint64_t>(rows), columns),
        "cublasLtMatrixLayoutCreate");
  set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch));
  set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, rows * columns);
}

/// y^T = op(b)^T op(a)^T, so b comes first and the bias, one for each column of y, is one for each row of y^T.
struct Problem {
  Operation operation;
  Layout first, second, result;

  Problem(const MatrixProduct& p, const void* bias, bool tf32) {
    // Pedantic arithmetic is f32 multiplied and added as such.
    check(cublasLtMatmulDescCreate(&operation.handle, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_PEDANTIC,
                                   CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    const std::int32_t first_op = p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    const std::int32_t second_op = p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    set(operation, CUBLASLT_MATMUL_DESC_TRANSA, first_op);
    set(operation, CUBLASLT_MATMUL_DESC_TRANSB, second_op);
    const cublasLtEpilogue_t epilogue = p.bias   ? p.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS
                                        : p.relu ? CUBLASLT_EPILOGUE_RELU
                                                 : CUBLASLT_EPILOGUE_DEFAULT;
    set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(epilogue));
    if (p.bias) set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    make(first, p.transpose_b ? p.columns : p.depth, p.transpose_b ? p.depth : p.columns, p.batch);
    make(second, p.transpose_a ? p.depth : p.rows, p.transpose_a ? p.rows : p.depth, p.batch);
    make(result, p.rows, p.columns, p.batch);
  }
};

constexpr std::size_t kMostWorkspace = std::size_t{32} << 20;

}  // namespace

std::string MatrixProduct::to_string() const {
  return fmt::format("matmul of {} x [{}, {}] [{}, {}]", batch, rows, depth, depth, columns);
}

CublasMatmul::CublasMatmul(Device& device, cudaStream_t stream, bool tf32)
    : device_(device), stream_(stream), tf32_(tf32) {
  check(cublasLtCreate(&handle_), "cublasLtCreate");
}

CublasMatmul::~CublasMatmul() {
  cublasLtDestroy(handle_);
}

std::string CublasMatmul::version() {
  const std::size_t number = cublasLtGetVersion();  // 130100
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

Done CublasMatmul::matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
                          Activation activation, Compute compute) {
  constexpr std::int64_t kMost = 0x7fffffff;  // extents are 32 bits in most algorithms
  const MatrixProduct product{.batch = y.shape.rank() == 3 ? y.shape[0] : 1,
                              .rows = y.shape[-2],
                              .columns = y.shape[-1],
                              .depth = a.shape[transpose_a ? -2 : -1],
                              .transpose_a = transpose_a,
                              .transpose_b = transpose_b,
                              .bias = bias.data != nullptr,
                              .relu = activation == Activation::relu};
  const bool fits = product.depth > 0 && product.rows <= kMost && product.columns <= kMost && product.depth <= kMost &&
                    product.batch <= kMost;
  const bool placed = aligned(y.data) && aligned(a.data) && aligned(b.data) && aligned(bias.data);
  if (compute != Compute::f32 || !fits || !placed) return Done::nothing;

  auto found = algorithms_.find(product);
  if (found == algorithms_.end()) {
    Preference preference;
    check(cublasLtMatmulPreferenceCreate(&preference.handle), "cublasLtMatmulPreferenceCreate");
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kMostWorkspace});
    // A sum that is cut is put together from its parts in the workspace, in order.
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                            CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      set(preference, name, static_cast<std::uint32_t>(kAligned));
    }
    // The search takes the bias's alignment from its address, and what it finds serves every bias: the least.
    const Problem search(product, reinterpret_cast<const void*>(kAligned), tf32_);
    cublasLtMatmulHeuristicResult_t result{};
    int count = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        handle_, search.operation.handle, search.first.handle, search.second.handle, search.result.handle,
        search.result.handle, preference.handle, 1, &result, &count);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status, "cublasLtMatmulAlgoGetHeuristic");
    const bool any = status == CUBLAS_STATUS_SUCCESS && count > 0 && result.state == CUBLAS_STATUS_SUCCESS;
    found =
        algorithms_.emplace(product, any ? std::optional(Algorithm{result.algo, result.workspaceSize}) : std::nullopt)
            .first;
  }
  if (!found->second) return Done::nothing;
  const Algorithm& algorithm = *found->second;
  const Problem problem(product, bias.data, tf32_);
  const Scratch workspace(device_, algorithm.workspace);
  const float one = 1, zero = 0;
  const cublasStatus_t status =
      cublasLtMatmul(handle_, problem.operation.handle, &one, b.data, problem.first.handle, a.data,
                     problem.second.handle, &zero, y.data, problem.result.handle, y.data, problem.result.handle,
                     &algorithm.algorithm, workspace.as<void>(), algorithm.workspace, stream_);
  if (status != CUBLAS_STATUS_SUCCESS) check(status, fmt::format("cublasLtMatmul: {}", product.to_string()));
  return activation == Activation::identity || product.relu ? Done::everything : Done::without_activation;
}

}  // namespace counterfoil::cuda
