#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_device.h"
#include "tests/cuda/small_trainings.h"

// Whole training steps on the CUDA kernels, executed by kernels/simt, against the CPU.

namespace counterfoil::cuda_test {
namespace {

using methods::halves;

/// The root mean square of what two trainings of a tensor end apart by, in that of the way that one has gone. Not
/// element by element: Adam divides by the root of the second moment, so a weight whose gradient is rounding alone
/// moves by a whole rate, either way. They are few, and a wrong gradient leads whole tensors astray.
double departure(const Tensor& found, const Tensor& expected, const Tensor& before) {
  const std::vector<double> a = found.to_doubles(), b = expected.to_doubles(), from = before.to_doubles();
  double apart = 0, way = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    apart += (a[i] - b[i]) * (a[i] - b[i]);
    way += (b[i] - from[i]) * (b[i] - from[i]);
  }
  return apart == 0 ? 0 : std::sqrt(apart / way);
}

/// Some steps on both devices, which differ by rounding: it leads weights apart by up to 1.2e-3 of their way, and
/// moments, which are averages of gradients, by up to 2.5e-5 of theirs.
void expect_cpu_agrees(nn::Trainable& on_simt, nn::Trainable& on_cpu, int steps) {
  constexpr double kTolerance = 1e-4;
  const methods::State before = methods::state_of(on_cpu);
  for (int step = 0; step < steps; ++step) {
    const nn::LossTerms found = on_simt.train_step(), expected = on_cpu.train_step();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].first, expected[i].first);
      EXPECT_NEAR(found[i].second, expected[i].second, kTolerance * (1 + std::abs(expected[i].second)))
          << found[i].first << " of step " << step;
    }
  }
  const methods::State found = methods::state_of(on_simt), expected = methods::state_of(on_cpu);
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    const double allowed = name.starts_with("optimiser.") ? 1e-3 : 1e-2;
    EXPECT_LE(departure(found.at(name), tensor, before.at(name)), allowed) << name;
  }
}

TEST(EndToEndSimt, LeNetAgreesWithTheCpu) {
  const auto on_simt = classifier_on(cuda::open()), on_cpu = classifier_on(cpu_device());
  const methods::State before = methods::state_of(*on_cpu);
  expect_cpu_agrees(*on_simt, *on_cpu, 4);
  EXPECT_TRUE(methods::moved(*on_simt, "classifier", before));
}

TEST(EndToEndSimt, SyceAgreesWithTheCpu) {
  using Syce = Explained<methods::Syce, methods::SyceConfig>;
  Syce on_simt(syce_config(), cuda::open()), on_cpu(syce_config(), cpu_device());
  expect_cpu_agrees(on_simt.method, on_cpu.method, 2);
  const Tensor x = halves(6).all_images(cpu_device());
  const Tensor found = on_simt.method.explain(x.to(cuda::open())).at("counterfactual");
  const std::vector<double> expected = on_cpu.method.explain(x).at("counterfactual").to_doubles();
  EXPECT_THAT(found.to_doubles(), testing::Pointwise(testing::DoubleNear(1e-4), expected));
}

}  // namespace
}  // namespace counterfoil::cuda_test
