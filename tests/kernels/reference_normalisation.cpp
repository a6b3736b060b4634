#include "tests/kernels/reference.h"

namespace counterfoil::test {
namespace {

const Shape kShape = {3, 2, 4, 5};
constexpr double kEpsilon = 1e-3;

TEST(ReferenceNorm, StatisticsOfASmallBatch) {
  // Two images of two pixels, two channels.
  const Doubles x({2, 1, 2, 2}, {1, 10, 3, 10, 5, 10, 7, 30});
  Doubles mean({1, 2}), variance({1, 2});
  reference().norm_statistics(mean, variance, x);
  EXPECT_EQ(mean.data, (std::vector<double>{4, 15}));
  EXPECT_EQ(variance.data, (std::vector<double>{5, 75}));
  Doubles image_mean({2, 2}), image_variance({2, 2});
  reference().norm_statistics(image_mean, image_variance, x);
  EXPECT_EQ(image_mean.data, (std::vector<double>{2, 10, 6, 20}));
  EXPECT_EQ(image_variance.data, (std::vector<double>{1, 0, 1, 100}));
}

TEST(ReferenceNorm, StatisticsFarFromZeroDoNotCancel) {
  Doubles x = scattered({4, 5, 5, 1}, 1), mean({1, 1}), variance({1, 1}), far_variance({1, 1});
  reference().norm_statistics(mean, variance, x);
  for (double& value : x.data) value += 1e6;
  reference().norm_statistics(mean, far_variance, x);
  EXPECT_NEAR(far_variance[0], variance[0], 1e-9);
}

TEST(ReferenceNorm, ApplyIsTheFormula) {
  const Doubles x = scattered(kShape, 1), gamma = scattered({3, 5}, 2), beta = scattered({3, 5}, 3);
  const Doubles mean = scattered({1, 5}, 4), variance = scattered({1, 5}, 5, 0.1, 2);
  Doubles y(kShape);
  reference().norm_apply(y, x, mean, variance, gamma, beta, kEpsilon, Activation::leaky_relu, 0.1);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t c = i % 5, n = i / 40;
    const double z = gamma[n * 5 + c] * (x[i] - mean[c]) / std::sqrt(variance[c] + kEpsilon) + beta[n * 5 + c];
    EXPECT_NEAR(y[i], z > 0 ? z : 0.1 * z, 1e-14);
  }
}

/// <y, d_y> of a normalisation as a function of x, gamma and beta.
struct Norm {
  Shape statistics, parameters;
  bool differentiate_statistics;
  Activation activation;
  Doubles fixed_mean = Doubles(statistics), fixed_variance = Doubles(statistics);

  Doubles output(const Doubles& x, const Doubles& gamma, const Doubles& beta) const {
    Doubles mean = fixed_mean, variance = fixed_variance, y(kShape);
    if (differentiate_statistics) reference().norm_statistics(mean, variance, x);
    reference().norm_apply(y, x, mean, variance, gamma, beta, kEpsilon, activation, 0.2);
    return y;
  }
};

TEST(ReferenceNorm, BackwardIsTheDerivative) {
  const Doubles x = scattered(kShape, 1), d_y = scattered(kShape, 2);
  for (const Shape& statistics : {Shape{1, 5}, Shape{3, 5}}) {
    for (const Shape& parameters : {Shape{1, 5}, Shape{3, 5}}) {
      for (const bool differentiate : {true, false}) {
        for (const Activation activation : {Activation::identity, Activation::leaky_relu, Activation::sigmoid}) {
          Norm norm{statistics, parameters, differentiate, activation};
          reference().norm_statistics(norm.fixed_mean, norm.fixed_variance, x);
          const Doubles gamma = scattered(parameters, 3), beta = scattered(parameters, 4);
          const Doubles y = norm.output(x, gamma, beta);
          Doubles d_x(kShape), d_gamma(parameters), d_beta(parameters);
          reference().norm_backward(d_x, d_gamma, d_beta, d_y, x, y, norm.fixed_mean, norm.fixed_variance, gamma,
                                    kEpsilon, activation, 0.2, differentiate);
          expect_gradient([&](const Doubles& at) { return dot(norm.output(at, gamma, beta), d_y); }, x, d_x, 1e-6);
          expect_gradient([&](const Doubles& at) { return dot(norm.output(x, at, beta), d_y); }, gamma, d_gamma, 1e-6);
          expect_gradient([&](const Doubles& at) { return dot(norm.output(x, gamma, at), d_y); }, beta, d_beta, 1e-6);
        }
      }
    }
  }
}

TEST(ReferenceNorm, PowerIterationFindsTheLargestSingularValue) {
  // Singular values 5 and 1: rotations of diag(5, 1), padded with a zero column.
  const double c = std::cos(0.7), s = std::sin(0.7);
  const Doubles weight({2, 3}, {5 * c, -s, 0, 5 * s, c, 0});
  Doubles u({2}, {0.6, 0.8}), v({3}, {7, 7, 7});
  reference().power_iteration(u, v, weight, 20, 1e-12);
  expect_near(u, Doubles({2}, {c, s}), 1e-12);
  expect_near(v, Doubles({3}, {1, 0, 0}), 1e-12);
}

TEST(ReferenceNorm, PowerIterationKeepsItsVectorsForZeroRounds) {
  Doubles u({2}, {1, 2}), v({2}, {3, 4});
  reference().power_iteration(u, v, Doubles({2, 2}), 0, 1e-12);
  EXPECT_EQ(u.data, (std::vector<double>{1, 2}));
  EXPECT_EQ(v.data, (std::vector<double>{3, 4}));
  reference().power_iteration(u, v, Doubles({2, 2}), 1, 1e-12);
  EXPECT_EQ(u.data, (std::vector<double>{0, 0}));
}

}  // namespace
}  // namespace counterfoil::test
