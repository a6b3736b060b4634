#include <algorithm>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/vector.h"
#include "kernels/element_types.h"

namespace counterfoil::cuda {

namespace {

template <typename T>
__global__ void __launch_bounds__(kThreads) fill_kernel(T* out, std::int64_t n, T value) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) out[i] = value;
}

/// 16 bytes at a time; the caller fills the rest.
__global__ void __launch_bounds__(kThreads) fill_vectors_kernel(uint4* out, std::int64_t n, uint4 value) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) out[i] = value;
}

template <typename To, typename From>
__global__ void __launch_bounds__(kThreads)
    convert_kernel(To* __restrict__ out, const From* __restrict__ x, std::int64_t n, double scale) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) out[i] = from_double<To>(scale * to_double(x[i]));
}

}  // namespace

void CudaBackend::fill(View out, double value) {
  check::fill(out);
  with_type(out.dtype, [&](auto type) {
    using T = decltype(type);
    const T element = from_double<T>(value);
    constexpr std::int64_t kPerVector = 16 / sizeof(T);
    const std::int64_t vectors = aligned16({out.data}) ? out.size() / kPerVector : 0;
    const std::int64_t rest = out.size() - vectors * kPerVector;
    if (vectors > 0) {
      T elements[kPerVector];
      std::fill_n(elements, kPerVector, element);
      uint4 pattern;
      std::memcpy(&pattern, elements, sizeof pattern);
      launch(fill_vectors_kernel, blocks_for(vectors), kThreads, 0, stream_, out.as<uint4>(), vectors, pattern);
    }
    launch(fill_kernel<T>, blocks_for(rest), kThreads, 0, stream_, out.as<T>() + vectors * kPerVector, rest, element);
  });
}

void CudaBackend::convert(View out, ConstView x, double scale) {
  check::convert(out, x);
  if (out.dtype == x.dtype && scale == 1) {
    if (out.data != x.data)
      device_.copy_within(out.data, x.data, static_cast<std::size_t>(x.size()) * size_of(x.dtype));
    return;
  }
  with_type(out.dtype, [&](auto out_type) {
    with_type(x.dtype, [&](auto x_type) {
      using To = decltype(out_type);
      using From = decltype(x_type);
      launch(convert_kernel<To, From>, blocks_for(x.size()), kThreads, 0, stream_, out.as<To>(), x.as<From>(), x.size(),
             scale);
    });
  });
}

}  // namespace counterfoil::cuda
