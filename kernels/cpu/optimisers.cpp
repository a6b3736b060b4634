#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/error.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using cpu::chunk_count;
using cpu::kElementGrain;
using cpu::vector_math::VectorMath;

// One parallel loop over the chunks of every parameter: body(parameter, begin, end).
template <typename Body>
void for_each_parameter_chunk(const char* name, std::span<const View> parameters, Body body) {
  std::int64_t chunks = 0;
  for (const View& parameter : parameters) {
    require_f32(name, parameter);
    chunks += chunk_count(parameter.size(), kElementGrain);
  }
  cpu::parallel_for(chunks, 1, [&](std::int64_t chunk, std::int64_t) {
    std::size_t k = 0;
    for (std::int64_t count; chunk >= (count = chunk_count(parameters[k].size(), kElementGrain)); ++k) chunk -= count;
    const std::int64_t begin = chunk * kElementGrain;
    body(k, begin, std::min(parameters[k].size(), begin + kElementGrain));
  });
}

}  // namespace

void CpuBackend::adam(std::span<const View> parameters, std::span<const ConstView> gradients,
                      std::span<const View> first_moments, std::span<const View> second_moments, const AdamStep& step) {
  check::optimiser("adam", parameters, gradients, {first_moments, second_moments});
  const pointwise::Adam<float> rule(step);
  for_each_parameter_chunk("adam", parameters, [&](std::size_t k, std::int64_t begin, std::int64_t end) {
    float* const p = parameters[k].as<float>();
    const float* const g = gradients[k].as<float>();
    float* const m = first_moments[k].as<float>();
    float* const v = second_moments[k].as<float>();
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) rule.update<VectorMath>(p[i], g[i], m[i], v[i]);
  });
}

void CpuBackend::sgd(std::span<const View> parameters, std::span<const ConstView> gradients,
                     std::span<const View> velocities, const SgdStep& step) {
  const bool plain = velocities.empty();
  if (plain) {
    check::optimiser("sgd", parameters, gradients, {});
    if (step.momentum != 0) fail("sgd: momentum {} needs velocities, found none", step.momentum);
  } else {
    check::optimiser("sgd", parameters, gradients, {velocities});
  }
  const pointwise::Sgd<float> rule(step);
  for_each_parameter_chunk("sgd", parameters, [&](std::size_t k, std::int64_t begin, std::int64_t end) {
    float* const p = parameters[k].as<float>();
    const float* const g = gradients[k].as<float>();
    if (plain) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) rule.update(p[i], g[i]);
    } else {
      float* const v = velocities[k].as<float>();
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) rule.update(p[i], g[i], v[i]);
    }
  });
}

void CpuBackend::rmsprop(std::span<const View> parameters, std::span<const ConstView> gradients,
                         std::span<const View> square_averages, const RmsPropStep& step) {
  check::optimiser("rmsprop", parameters, gradients, {square_averages});
  const pointwise::RmsProp<float> rule(step);
  for_each_parameter_chunk("rmsprop", parameters, [&](std::size_t k, std::int64_t begin, std::int64_t end) {
    float* const p = parameters[k].as<float>();
    const float* const g = gradients[k].as<float>();
    float* const a = square_averages[k].as<float>();
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) rule.update<VectorMath>(p[i], g[i], a[i]);
  });
}

}  // namespace counterfoil
