#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/element_types.h"

namespace counterfoil {

namespace {

using cpu::kElementGrain;
using cpu::parallel_for;

template <typename To, typename From>
void convert_elements(To* out, const From* x, std::int64_t count, double scale) {
  parallel_for(count, kElementGrain, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) out[i] = from_double<To>(scale * to_double(x[i]));
  });
}

}  // namespace

void CpuBackend::fill(View out, double value) {
  check::fill(out);
  with_type(out.dtype, [&](auto type) {
    using T = decltype(type);
    const T element = from_double<T>(value);
    parallel_for(out.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      std::fill(out.as<T>() + begin, out.as<T>() + end, element);
    });
  });
}

void CpuBackend::convert(View out, ConstView x, double scale) {
  check::convert(out, x);
  with_type(out.dtype, [&](auto to) {
    with_type(x.dtype, [&](auto from) {
      using To = decltype(to);
      using From = decltype(from);
      To* const target = out.as<To>();
      const From* const source = x.as<From>();
      if constexpr (std::is_same_v<To, From>) {
        if (scale == 1) {
          parallel_for(x.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
            std::memcpy(target + begin, source + begin, static_cast<std::size_t>(end - begin) * sizeof(To));
          });
          return;
        }
      }
      convert_elements(target, source, x.size(), scale);
    });
  });
}

}  // namespace counterfoil
