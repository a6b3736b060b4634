#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/kernels/arrays.h"

namespace counterfoil::test {
namespace {

Backend& cpu() {
  return cpu_device().backend();
}

struct Case {
  Shape x;
  bool per_image_statistics, per_image_affine;

  std::int64_t channels() const { return x[3]; }
  Shape statistics() const { return {per_image_statistics ? x[0] : 1, x[3]}; }
  Shape affine() const { return {per_image_affine ? x[0] : 1, x[3]}; }
  std::int64_t image(std::int64_t i) const { return i / (x[1] * x[2] * x[3]); }
  std::int64_t statistic(std::int64_t i) const { return (per_image_statistics ? image(i) * x[3] : 0) + i % x[3]; }
  std::int64_t scale(std::int64_t i) const { return (per_image_affine ? image(i) * x[3] : 0) + i % x[3]; }
  double count() const {
    return static_cast<double>(x[1] * x[2]) * static_cast<double>(per_image_statistics ? 1 : x[0]);
  }
  std::string name() const {
    return fmt::format("{} statistics {} affine {}", x.to_string(), statistics().to_string(), affine().to_string());
  }
};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const Shape& x : {Shape{1, 1, 1, 1}, Shape{50, 28, 28, 1}, Shape{3, 5, 7, 3}, Shape{4, 28, 28, 16},
                         Shape{3, 14, 14, 32}, Shape{2, 9, 11, 63}, Shape{4, 7, 7, 64}, Shape{3, 6, 5, 100},
                         Shape{2, 30, 29, 48}, Shape{1, 3, 3, 130}, Shape{2, 1, 2, 20}})
    for (const bool statistics : {false, true})
      for (const bool affine : {false, true}) list.push_back({x, statistics, affine});
  return list;
}

struct Moments {
  Doubles mean, variance;
};

Moments moments(const Case& at, const Floats& x) {
  Moments m{Doubles(at.statistics()), Doubles(at.statistics())};
  for (std::int64_t i = 0; i < x.size(); ++i) m.mean[at.statistic(i)] += static_cast<double>(x[i]) / at.count();
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double deviation = static_cast<double>(x[i]) - m.mean[at.statistic(i)];
    m.variance[at.statistic(i)] += deviation * deviation / at.count();
  }
  return m;
}

Floats narrowed(const Doubles& x) {
  Floats y(x.shape);
  for (std::int64_t i = 0; i < x.size(); ++i) y[i] = static_cast<float>(x[i]);
  return y;
}

TEST(CpuNormalisation, StatisticsKeepTheirAccuracyFarFromZero) {
  for (const Case& at : cases()) {
    if (at.per_image_affine) continue;
    // At a mean of 1000 a sum of squares in f32 would leave nothing of a variance of 1/3.
    for (const float centre : {0.0F, 1000.0F}) {
      const Floats x = noise(at.x, 1, centre);
      const Moments expected = moments(at, x);
      Floats other(at.statistics());
      const Floats mean = compute_stably(
          at.statistics(), [&](View out) { cpu().norm_statistics(out, other.view(), x.view()); }, at.name());
      const Floats variance = compute_stably(
          at.statistics(), [&](View out) { cpu().norm_statistics(other.view(), out, x.view()); }, at.name());
      expect_close(mean, expected.mean, 1e-6, at.name());
      expect_close(variance, expected.variance, 5e-6, at.name(), 0.1);
    }
  }
}

double activated(Activation activation, double value) {
  switch (activation) {
    case Activation::identity:
      return value;
    case Activation::relu:
      return std::max(value, 0.0);
    case Activation::leaky_relu:
      return value > 0 ? value : 0.2 * value;
    case Activation::tanh:
      return std::tanh(value);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-value));
  }
  return 0;
}

double derivative(Activation activation, double y) {
  switch (activation) {
    case Activation::identity:
      return 1;
    case Activation::relu:
      return y > 0 ? 1 : 0;
    case Activation::leaky_relu:
      return y > 0 ? 1 : 0.2;
    case Activation::tanh:
      return 1 - y * y;
    case Activation::sigmoid:
      return y * (1 - y);
  }
  return 0;
}

constexpr double kEpsilon = 1e-3;

TEST(CpuNormalisation, ApplyNormalisesScalesAndActivates) {
  for (const Case& at : cases()) {
    const Floats x = noise(at.x, 1, 3), gamma = noise(at.affine(), 2), beta = noise(at.affine(), 3);
    const Moments m = moments(at, x);
    const Floats mean = narrowed(m.mean), variance = narrowed(m.variance);
    for (const Activation activation :
         {Activation::identity, Activation::relu, Activation::leaky_relu, Activation::tanh, Activation::sigmoid}) {
      Doubles expected(at.x);
      for (std::int64_t i = 0; i < x.size(); ++i) {
        const std::int64_t s = at.statistic(i), g = at.scale(i);
        const double xhat = (static_cast<double>(x[i]) - static_cast<double>(mean[s])) /
                            std::sqrt(static_cast<double>(variance[s]) + kEpsilon);
        expected[i] = activated(activation, static_cast<double>(gamma[g]) * xhat + static_cast<double>(beta[g]));
      }
      const Floats y = compute_stably(
          at.x,
          [&](View out) {
            cpu().norm_apply(out, x.view(), mean.view(), variance.view(), gamma.view(), beta.view(), kEpsilon,
                             activation, 0.2);
          },
          at.name());
      expect_close(y, expected, 2e-6, at.name());
      Floats in_place = x;
      cpu().norm_apply(in_place.view(), in_place.view(), mean.view(), variance.view(), gamma.view(), beta.view(),
                       kEpsilon, activation, 0.2);
      EXPECT_TRUE(same_bits(in_place, y)) << at.name();
    }
  }
}

TEST(CpuNormalisation, BackwardFollowsTheChainRule) {
  for (const Case& at : cases()) {
    const Floats x = noise(at.x, 1, 3), gamma = noise(at.affine(), 2), beta = noise(at.affine(), 3),
                 d_y = noise(at.x, 4);
    const Moments m = moments(at, x);
    const Floats mean = narrowed(m.mean), variance = narrowed(m.variance);
    for (const Activation activation : {Activation::identity, Activation::leaky_relu, Activation::tanh}) {
      for (const bool differentiate : {true, false}) {
        Floats y(at.x);
        cpu().norm_apply(y.view(), x.view(), mean.view(), variance.view(), gamma.view(), beta.view(), kEpsilon,
                         activation, 0.2);
        Doubles d_gamma(at.affine()), d_beta(at.affine()), d_x(at.x);
        Doubles mean_g(at.statistics()), mean_g_xhat(at.statistics());
        const auto xhat = [&](std::int64_t i) {
          const std::int64_t s = at.statistic(i);
          return (static_cast<double>(x[i]) - static_cast<double>(mean[s])) /
                 std::sqrt(static_cast<double>(variance[s]) + kEpsilon);
        };
        const auto g = [&](std::int64_t i) {
          return static_cast<double>(d_y[i]) * derivative(activation, static_cast<double>(y[i]));
        };
        for (std::int64_t i = 0; i < x.size(); ++i) {
          const double scaled = g(i) * static_cast<double>(gamma[at.scale(i)]);
          d_beta[at.scale(i)] += g(i);
          d_gamma[at.scale(i)] += g(i) * xhat(i);
          if (differentiate) {
            mean_g[at.statistic(i)] += scaled / at.count();
            mean_g_xhat[at.statistic(i)] += scaled * xhat(i) / at.count();
          }
        }
        for (std::int64_t i = 0; i < x.size(); ++i) {
          const std::int64_t s = at.statistic(i);
          d_x[i] = (g(i) * static_cast<double>(gamma[at.scale(i)]) - mean_g[s] - xhat(i) * mean_g_xhat[s]) /
                   std::sqrt(static_cast<double>(variance[s]) + kEpsilon);
        }
        Floats found_gamma(at.affine()), found_beta(at.affine());
        const auto run = [&](View out_x, View out_gamma, View out_beta) {
          cpu().norm_backward(out_x, out_gamma, out_beta, d_y.view(), x.view(), y.view(), mean.view(), variance.view(),
                              gamma.view(), kEpsilon, activation, 0.2, differentiate);
        };
        const Floats found = compute_stably(
            at.x, [&](View out) { run(out, found_gamma.view(), found_beta.view()); }, at.name());
        const double tolerance = 2e-6 * std::sqrt(at.count());
        expect_close(found, d_x, 1e-5, at.name(), 1 / std::sqrt(kEpsilon) * (at.count() < 2 ? 1.0 : 0.1));
        expect_close(found_gamma, d_gamma, tolerance, at.name() + " gamma");
        expect_close(found_beta, d_beta, tolerance, at.name() + " beta");
        Floats rest_x(at.x), rest_beta(at.affine());
        compute_stably(
            at.affine(), [&](View out) { run(rest_x.view(), out, rest_beta.view()); }, at.name());
      }
    }
  }
}

TEST(CpuNormalisation, EmptyBatch) {
  Floats x(Shape{0, 4, 4, 8}), y(Shape{0, 4, 4, 8}), mean(Shape{1, 8}), variance(Shape{1, 8}, 1), gamma(Shape{1, 8}),
      beta(Shape{1, 8}), d_gamma(Shape{1, 8}, 5), d_beta(Shape{1, 8}, 5), d_x(Shape{0, 4, 4, 8});
  cpu().norm_apply(y.view(), x.view(), mean.view(), variance.view(), gamma.view(), beta.view(), 1e-3, Activation::relu,
                   0);
  cpu().norm_backward(d_x.view(), d_gamma.view(), d_beta.view(), y.view(), x.view(), y.view(), mean.view(),
                      variance.view(), gamma.view(), 1e-3, Activation::relu, 0, true);
  for (std::int64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(d_gamma[i], 0.0F);
    EXPECT_EQ(d_beta[i], 0.0F);
  }
}

TEST(CpuNormalisation, NothingIsAllocatedInTheSteadyState) {
  const Floats x = noise({8, 14, 14, 32}, 1), gamma = noise({1, 32}, 2), beta = noise({1, 32}, 3);
  Floats y(x.shape), d_x(x.shape), mean(Shape{1, 32}), variance(Shape{1, 32}), d_gamma(Shape{1, 32}),
      d_beta(Shape{1, 32});
  const auto step = [&] {
    cpu().norm_statistics(mean.view(), variance.view(), x.view());
    cpu().norm_apply(y.view(), x.view(), mean.view(), variance.view(), gamma.view(), beta.view(), 1e-3,
                     Activation::relu, 0);
    cpu().norm_backward(d_x.view(), d_gamma.view(), d_beta.view(), y.view(), x.view(), y.view(), mean.view(),
                        variance.view(), gamma.view(), 1e-3, Activation::relu, 0, true);
  };
  step();
  const std::size_t before = cpu_device().memory_use().system_calls;
  for (int i = 0; i < 3; ++i) step();
  EXPECT_EQ(cpu_device().memory_use().system_calls, before);
}

}  // namespace
}  // namespace counterfoil::test
