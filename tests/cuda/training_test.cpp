#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_device.h"
#include "tests/cuda/small_trainings.h"

// Whole training steps on the CUDA kernels, executed by kernels/simt, against the CPU.

namespace counterfoil::cuda_test {
namespace {

using methods::halves;

/// |a - b| <= tolerance (|b| + root mean square of b) + slack, element by element of every tensor.
void expect_near(const methods::State& a, const methods::State& b, double tolerance, double slack) {
  for (const auto& [name, tensor] : b) {
    const std::vector<double> found = a.at(name).to_doubles(), expected = tensor.to_doubles();
    double squares = 0;
    for (const double value : expected) squares += value * value;
    const double scale = std::sqrt(squares / static_cast<double>(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_LE(std::abs(found[i] - expected[i]), tolerance * (std::abs(expected[i]) + scale) + slack)
          << name << " at " << i << ": " << found[i] << ", expected " << expected[i];
    }
  }
}

/// Some steps on both devices, which differ by rounding. Losses and moments, which are averages of gradients, agree to
/// 1e-4. Adam divides by the root of the second moment, so a weight whose gradient is rounding alone moves by a whole
/// rate: weights agree to 1e-4 and a tenth of the rate.
void expect_cpu_agrees(nn::Trainable& on_simt, nn::Trainable& on_cpu, int steps, double rate) {
  constexpr double kTolerance = 1e-4;
  for (int step = 0; step < steps; ++step) {
    const nn::LossTerms found = on_simt.train_step(), expected = on_cpu.train_step();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].first, expected[i].first);
      EXPECT_NEAR(found[i].second, expected[i].second, kTolerance * (1 + std::abs(expected[i].second)))
          << found[i].first << " of step " << step;
    }
  }
  methods::State weights_expected, found = methods::state_of(on_simt);
  for (const auto& [name, tensor] : methods::state_of(on_cpu)) {
    if (name.starts_with("model.")) weights_expected.emplace(name, tensor);
  }
  expect_near(found, weights_expected, kTolerance, 0.1 * rate);
  methods::State moments = methods::state_of(on_cpu);
  std::erase_if(moments, [](const auto& entry) { return entry.first.starts_with("model."); });
  expect_near(found, moments, kTolerance, 0);
}

TEST(EndToEndSimt, LeNetAgreesWithTheCpu) {
  const auto on_simt = classifier_on(cuda::open()), on_cpu = classifier_on(cpu_device());
  const methods::State before = methods::state_of(*on_cpu);
  expect_cpu_agrees(*on_simt, *on_cpu, 4, classifier_config().learning_rate);
  EXPECT_TRUE(methods::moved(*on_simt, "classifier", before));
}

TEST(EndToEndSimt, SyceAgreesWithTheCpu) {
  using Syce = Explained<methods::Syce, methods::SyceConfig>;
  Syce on_simt(syce_config(), cuda::open()), on_cpu(syce_config(), cpu_device());
  expect_cpu_agrees(on_simt.method, on_cpu.method, 2, syce_config().generator_learning_rate);
  const Tensor x = halves(6).all_images(cpu_device());
  const Tensor found = on_simt.method.explain(x.to(cuda::open())).at("counterfactual");
  const std::vector<double> expected = on_cpu.method.explain(x).at("counterfactual").to_doubles();
  EXPECT_THAT(found.to_doubles(), testing::Pointwise(testing::DoubleNear(1e-4), expected));
}

}  // namespace
}  // namespace counterfoil::cuda_test
