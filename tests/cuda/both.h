#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/simt/simt.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

// One call of a primitive on the CUDA kernels and on the reference.

namespace counterfoil::cuda_test {

struct Floats {
  Shape shape;
  std::vector<float> values;
};

/// Numbers between low and high that look random and differ for different seeds.
inline Floats scattered(const Shape& shape, std::uint64_t seed, double low = -1, double high = 1) {
  Random random(seed, "scattered");
  Floats floats{shape, std::vector<float>(static_cast<std::size_t>(shape.size()))};
  for (float& value : floats.values) value = static_cast<float>(low + (high - low) * random.uniform());
  return floats;
}

struct Views {
  std::vector<View> out;
  std::vector<ConstView> in;
};
using Call = std::function<void(Backend&, const Views&)>;

/// The outputs of a call on a device, its inputs given as f32 or f64.
inline std::vector<Tensor> outputs_of(Device& device, DType dtype, const std::vector<Shape>& shapes,
                                      const std::vector<Floats>& inputs, const Call& call) {
  std::vector<Tensor> in, out;
  Views views;
  for (const Floats& input : inputs) {
    in.push_back(Tensor::from(input.values, input.shape, device).to(dtype));
    views.in.push_back(in.back().view());
  }
  for (const Shape& shape : shapes) {
    out.push_back(Tensor::empty(shape, dtype, device));
    views.out.push_back(out.back().mutable_view());
  }
  call(device.backend(), views);
  return out;
}

/// |found - expected| <= tolerance * (|expected| + root mean square of what is expected), where the reference computes
/// in `reference_dtype`; and the same bits under every schedule.
inline void expect_agreement(const std::vector<Shape>& shapes, const std::vector<Floats>& inputs, double tolerance,
                             const Call& call, DType reference_dtype = DType::f64) {
  const std::vector<Tensor> found = outputs_of(cuda::open(), DType::f32, shapes, inputs, call);
  for (const simt::Schedule schedule : {simt::Schedule::descending, simt::Schedule::shuffled}) {
    simt::set_options({.schedule = schedule, .seed = 3});
    const std::vector<Tensor> again = outputs_of(cuda::open(), DType::f32, shapes, inputs, call);
    for (std::size_t output = 0; output < shapes.size(); ++output) {
      const std::vector<float> a = found[output].to_vector<float>(), b = again[output].to_vector<float>();
      EXPECT_TRUE(a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0)
          << "output " << output << " has other bits under schedule " << static_cast<int>(schedule);
    }
    simt::set_options({});
  }
  const std::vector<Tensor> expected = outputs_of(reference_device(), reference_dtype, shapes, inputs, call);
  for (std::size_t output = 0; output < shapes.size(); ++output) {
    const std::vector<double> a = found[output].to_doubles(), b = expected[output].to_doubles();
    double squares = 0;
    for (const double value : b) squares += std::isfinite(value) ? value * value : 0;
    const double scale = b.empty() ? 0 : std::sqrt(squares / static_cast<double>(b.size()));
    double worst = 0;
    std::size_t where = 0;
    for (std::size_t i = 0; i < a.size() && worst <= tolerance; ++i) {
      if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
      const double error = std::abs(a[i] - b[i]) / (std::abs(b[i]) + scale);
      if (error <= worst) continue;
      worst = error;
      where = i;
    }
    if (!a.empty()) {
      EXPECT_LE(worst, tolerance) << "output " << output << " at " << where << ": " << a[where] << ", expected "
                                  << b[where];
    }
  }
}

}  // namespace counterfoil::cuda_test
