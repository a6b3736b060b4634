#include "nn/initialise.h"

#include <cmath>

#include "nn/conv_transpose2d.h"
#include "nn/linear.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments_of(const Tensor& tensor) {
  Moments m;
  const auto values = tensor.to_doubles();
  for (const double v : values) {
    m.mean += v;
    m.largest = std::max(m.largest, std::abs(v));
  }
  m.mean /= static_cast<double>(values.size());
  for (const double v : values) m.deviation += (v - m.mean) * (v - m.mean);
  m.deviation = std::sqrt(m.deviation / static_cast<double>(values.size()));
  return m;
}

TEST(Initialise, CountsFans) {
  const auto expect = [](const Fans& fans, std::int64_t in, std::int64_t out) {
    EXPECT_EQ(fans.in, in);
    EXPECT_EQ(fans.out, out);
  };
  expect(linear_fans({7, 5}), 5, 7);
  expect(conv2d_fans({8, 3, 5, 4}, 1), 60, 120);
  expect(conv2d_fans({8, 3, 3, 2}, 2), 18, 36);
  expect(conv2d_fans({6, 3, 3, 1}, 6), 9, 9);
  expect(conv_transpose2d_fans({8, 3, 5, 4}, 1), 120, 60);
}

TEST(Initialise, DrawsTheStatedVariances) {
  const Fans fans{50, 150};
  const Shape shape{200, 200};
  struct Expectation {
    const char* name;
    Initialiser initialiser;
    double deviation;
    bool uniform;
  };
  const std::vector<Expectation> expectations = {
      {"glorot_uniform", glorot_uniform(), std::sqrt(2.0 / 200), true},
      {"glorot_uniform gain", glorot_uniform(3), 3 * std::sqrt(2.0 / 200), true},
      {"glorot_normal", glorot_normal(), std::sqrt(2.0 / 200), false},
      {"he_uniform", he_uniform(), std::sqrt(2.0 / 50), true},
      {"he_normal", he_normal(), std::sqrt(2.0 / 50), false},
      {"he_normal slope", he_normal(0.5), std::sqrt(2.0 / (1.25 * 50)), false},
      {"normal", normal(0.02), 0.02, false},
  };
  for (const Expectation& e : expectations) {
    TestInit init;
    const Moments m = moments_of(e.initialiser(init, shape, fans));
    EXPECT_NEAR(m.mean, 0, 5 * e.deviation / 200) << e.name;
    EXPECT_NEAR(m.deviation, e.deviation, 0.02 * e.deviation) << e.name;
    if (e.uniform) {
      EXPECT_LE(m.largest, std::sqrt(3) * e.deviation * (1 + 1e-12)) << e.name;
    } else {
      EXPECT_GT(m.largest, 3 * e.deviation) << e.name;
    }
  }
}

TEST(Initialise, ConstantsAreConstant) {
  TestInit init;
  EXPECT_EQ(zeros()(init, {2, 1}, {}).to_doubles(), (std::vector<double>{0, 0}));
  EXPECT_EQ(constant(1.5)(init, {2, 1}, {}).to_doubles(), (std::vector<double>{1.5, 1.5}));
}

TEST(Initialise, OrthogonalRowsOrColumns) {
  for (const Shape& shape : {Shape{4, 2, 3, 2}, Shape{7, 3}, Shape{5, 5}, Shape{1, 6}, Shape{6, 1}}) {
    TestInit init;
    const auto w = orthogonal(2)(init, shape, {}).to_doubles();
    const auto rows = static_cast<std::size_t>(shape[0]), columns = w.size() / rows;
    const std::size_t count = std::min(rows, columns), length = std::max(rows, columns);
    const auto element = [&](std::size_t i, std::size_t k) {
      return rows <= columns ? w[i * columns + k] : w[k * columns + i];
    };
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < count; ++j) {
        double product = 0;
        for (std::size_t k = 0; k < length; ++k) product += element(i, k) * element(j, k);
        EXPECT_NEAR(product, i == j ? 4 : 0, 1e-13) << shape.to_string();
      }
    }
  }
}

TEST(Initialise, LayersUseTheInitialiserGiven) {
  TestInit init;
  Linear layer(init.init.with(constant(0.25)), 3, 2);
  EXPECT_EQ(layer.weight().value().to_doubles(), std::vector<double>(6, 0.25));
  // A transposed convolution's fans are those of its own direction: few in, many out gives small He weights for many
  // in.
  ConvTranspose2d wide(init.init.with(he_normal()), 64, 1, 4);
  EXPECT_NEAR(moments_of(wide.weight().value()).deviation, std::sqrt(2.0 / (64 * 16)),
              0.1 * std::sqrt(2.0 / (64 * 16)));
}

TEST(Initialise, SameSeedSameBits) {
  TestInit one, two;
  EXPECT_EQ(Linear(one, 9, 4).weight().value().to_doubles(), Linear(two, 9, 4).weight().value().to_doubles());
}

}  // namespace
}  // namespace counterfoil::nn
