#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/recording.h"
#include "kernels/cuda/vector.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

// One launch updates up to kTensors parameters: their addresses travel with the launch, and each block finds the tensor
// that its stretch belongs to.

namespace counterfoil::cuda {

namespace {

using pointwise::StandardMath;

constexpr int kTensors = 128;
constexpr std::int64_t kStretch = 16 * kThreads;  // elements of a block

template <int moments>
struct Tensors {
  int count = 0;
  unsigned end[kTensors];  ///< the block after a tensor's last
  std::int64_t size[kTensors];
  float* parameter[kTensors];
  const float* gradient[kTensors];
  float* moment[moments > 0 ? moments : 1][kTensors];
};

struct AdamRule {
  static constexpr int kMoments = 2;
  pointwise::Adam<float> rule;
  explicit AdamRule(const AdamStep& step) : rule(step) {}
  __device__ void operator()(float& parameter, float gradient, float (&m)[2]) const {
    rule.update<StandardMath>(parameter, gradient, m[0], m[1]);
  }
};
struct SgdRule {
  static constexpr int kMoments = 0;
  pointwise::Sgd<float> rule;
  explicit SgdRule(const SgdStep& step) : rule(step) {}
  __device__ void operator()(float& parameter, float gradient, float (&)[1]) const { rule.update(parameter, gradient); }
};
struct MomentumRule {
  static constexpr int kMoments = 1;
  pointwise::Sgd<float> rule;
  explicit MomentumRule(const SgdStep& step) : rule(step) {}
  __device__ void operator()(float& parameter, float gradient, float (&velocity)[1]) const {
    rule.update(parameter, gradient, velocity[0]);
  }
};
struct RmsPropRule {
  static constexpr int kMoments = 1;
  pointwise::RmsProp<float> rule;
  explicit RmsPropRule(const RmsPropStep& step) : rule(step) {}
  __device__ void operator()(float& parameter, float gradient, float (&average)[1]) const {
    rule.update<StandardMath>(parameter, gradient, average[0]);
  }
};

template <int width, typename Rule>
__global__ void __launch_bounds__(kThreads)
    optimiser_kernel(const Tensors<Rule::kMoments> tensors, Rule rule, const Rule* __restrict__ recorded) {
  constexpr int kMoments = Rule::kMoments;
  if (recorded != nullptr) rule = *recorded;  // in a graph: recording.h
  // The first tensor that ends beyond this block.
  int low = 0, high = tensors.count - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (blockIdx.x < tensors.end[middle]) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  const unsigned first_block = low > 0 ? tensors.end[low - 1] : 0;
  const std::int64_t size = tensors.size[low];
  const std::int64_t begin = (blockIdx.x - first_block) * kStretch;
  const std::int64_t end = min(size, begin + kStretch);
  float* const parameter = tensors.parameter[low];
  const float* const gradient = tensors.gradient[low];
  float m[kMoments > 0 ? kMoments : 1];
  const auto one = [&](std::int64_t i) {
    for (int k = 0; k < kMoments; ++k) m[k] = tensors.moment[k][low][i];
    float p = parameter[i];
    rule(p, gradient[i], m);
    parameter[i] = p;
    for (int k = 0; k < kMoments; ++k) tensors.moment[k][low][i] = m[k];
  };
  if constexpr (width == 1) {
    for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) one(i);
  } else {
    for (std::int64_t i = begin / width + threadIdx.x; i < end / width; i += kThreads) {
      float p[width], g[width], all[kMoments > 0 ? kMoments : 1][width];
      load(p, parameter, i);
      load(g, gradient, i);
      for (int k = 0; k < kMoments; ++k) load(all[k], tensors.moment[k][low], i);
#pragma unroll
      for (int j = 0; j < width; ++j) {
        for (int k = 0; k < kMoments; ++k) m[k] = all[k][j];
        rule(p[j], g[j], m);
        for (int k = 0; k < kMoments; ++k) all[k][j] = m[k];
      }
      store(parameter, i, p);
      for (int k = 0; k < kMoments; ++k) store(tensors.moment[k][low], i, all[k]);
    }
    const std::int64_t rest = end / width * width + threadIdx.x;
    if (rest < end) one(rest);
  }
}

/// `moments` has Rule::kMoments lists.
template <typename Rule, typename Step>
void update(const Step& step, std::span<const View> parameters, std::span<const ConstView> gradients,
            std::initializer_list<std::span<const View>> moments, cudaStream_t stream) {
  if (parameters.empty()) return;
  const Rule* const recorded = recorded_update<Rule>(parameters.front().data, step);
  Tensors<Rule::kMoments> tensors{};
  unsigned blocks = 0;
  bool aligned = true;
  const auto flush = [&] {
    launch(aligned ? optimiser_kernel<4, Rule> : optimiser_kernel<1, Rule>, blocks, kThreads, 0, stream, tensors,
           Rule(step), recorded);
    tensors.count = 0;
    blocks = 0;
    aligned = true;
  };
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    const std::int64_t size = parameters[j].size();
    if (size == 0) continue;
    const auto t = static_cast<std::size_t>(tensors.count++);
    blocks += static_cast<unsigned>((size + kStretch - 1) / kStretch);
    tensors.end[t] = blocks;
    tensors.size[t] = size;
    tensors.parameter[t] = parameters[j].as<float>();
    tensors.gradient[t] = gradients[j].as<float>();
    aligned = aligned && aligned16({parameters[j].data, gradients[j].data});
    std::size_t k = 0;
    for (const std::span<const View>& list : moments) {
      tensors.moment[k++][t] = list[j].as<float>();
      aligned = aligned && aligned16({list[j].data});
    }
    if (tensors.count == kTensors) flush();
  }
  if (tensors.count > 0) flush();
}

void require_f32(const char* name, std::span<const View> parameters) {
  for (const View& parameter : parameters) counterfoil::require_f32(name, parameter);
}

}  // namespace

void CudaBackend::adam(std::span<const View> parameters, std::span<const ConstView> gradients,
                       std::span<const View> first_moments, std::span<const View> second_moments,
                       const AdamStep& step) {
  check::optimiser("adam", parameters, gradients, {first_moments, second_moments});
  require_f32("adam", parameters);
  update<AdamRule>(step, parameters, gradients, {first_moments, second_moments}, stream_);
}

void CudaBackend::sgd(std::span<const View> parameters, std::span<const ConstView> gradients,
                      std::span<const View> velocities, const SgdStep& step) {
  const bool plain = step.momentum == 0 && velocities.empty();
  if (plain) {
    check::optimiser("sgd", parameters, gradients, {});
  } else {
    check::optimiser("sgd", parameters, gradients, {velocities});
  }
  require_f32("sgd", parameters);
  if (plain) {
    update<SgdRule>(step, parameters, gradients, {}, stream_);
  } else {
    update<MomentumRule>(step, parameters, gradients, {velocities}, stream_);
  }
}

void CudaBackend::rmsprop(std::span<const View> parameters, std::span<const ConstView> gradients,
                          std::span<const View> square_averages, const RmsPropStep& step) {
  check::optimiser("rmsprop", parameters, gradients, {square_averages});
  require_f32("rmsprop", parameters);
  update<RmsPropRule>(step, parameters, gradients, {square_averages}, stream_);
}

}  // namespace counterfoil::cuda
