#include <cmath>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/kernels/arrays.h"

namespace counterfoil::test {
namespace {

Backend& cpu() {
  return cpu_device().backend();
}

struct Case {
  std::int64_t batches, m, n, k;  // batches = 0: rank 2
};

Shape matrix(const Case& at, std::int64_t rows, std::int64_t columns, bool transposed) {
  if (transposed) std::swap(rows, columns);
  return at.batches == 0 ? Shape{rows, columns} : Shape{at.batches, rows, columns};
}

Doubles product(const Case& at, const Floats& a, const Floats& b, bool transpose_a, bool transpose_b) {
  Doubles y(matrix(at, at.m, at.n, false));
  for (std::int64_t batch = 0; batch < std::max<std::int64_t>(at.batches, 1); ++batch)
    for (std::int64_t i = 0; i < at.m; ++i)
      for (std::int64_t j = 0; j < at.n; ++j)
        for (std::int64_t k = 0; k < at.k; ++k)
          y[(batch * at.m + i) * at.n + j] +=
              static_cast<double>(a[batch * at.m * at.k + (transpose_a ? k * at.m + i : i * at.k + k)]) *
              static_cast<double>(b[batch * at.n * at.k + (transpose_b ? j * at.k + k : k * at.n + j)]);
  return y;
}

TEST(CpuMatmul, ProductsOfEveryShapeAndTransposition) {
  for (const Case& at :
       {Case{0, 1, 1, 1}, Case{0, 5, 7, 3}, Case{0, 64, 128, 300}, Case{0, 64, 1, 1536}, Case{0, 1, 64, 200},
        Case{0, 200, 96, 64}, Case{0, 1, 1, 5000}, Case{0, 60, 50, 4001}, Case{0, 333, 47, 65}, Case{3, 17, 9, 20},
        Case{70, 4, 3, 2}, Case{2, 130, 140, 150}, Case{0, 3, 4, 0}}) {
    for (const int transposes : {0, 1, 2, 3}) {
      const bool transpose_a = (transposes & 1) != 0, transpose_b = (transposes & 2) != 0;
      const Floats a = noise(matrix(at, at.m, at.k, transpose_a), 1), b = noise(matrix(at, at.k, at.n, transpose_b), 2);
      const std::string name =
          fmt::format("{} x {} x {}, batch {}, transposes {}", at.m, at.n, at.k, at.batches, transposes);
      const Floats y = compute_stably(
          matrix(at, at.m, at.n, false),
          [&](View out) {
            cpu().matmul(out, a.view(), b.view(), transpose_a, transpose_b, {}, Activation::identity, 0, Compute::f32);
          },
          name);
      expect_close(y, product(at, a, b, transpose_a, transpose_b), 1e-6 + 3e-8 * static_cast<double>(at.k), name);
    }
  }
}

TEST(CpuMatmul, EpilogueAddsBiasThenActivates) {
  for (const Case& at : {Case{0, 40, 30, 20}, Case{2, 10, 60, 0}}) {
    const Floats a = noise(matrix(at, at.m, at.k, false), 1), b = noise(matrix(at, at.k, at.n, false), 2);
    const Floats bias = noise({at.n}, 3);
    for (const Activation activation :
         {Activation::identity, Activation::relu, Activation::leaky_relu, Activation::tanh, Activation::sigmoid}) {
      Doubles expected = product(at, a, b, false, false);
      for (std::int64_t i = 0; i < expected.size(); ++i) {
        double& v = expected[i];
        v += static_cast<double>(bias[i % at.n]);
        if (activation == Activation::relu) v = std::max(v, 0.0);
        if (activation == Activation::leaky_relu) v = v > 0 ? v : 0.2 * v;
        if (activation == Activation::tanh) v = std::tanh(v);
        if (activation == Activation::sigmoid) v = 1 / (1 + std::exp(-v));
      }
      Floats y(matrix(at, at.m, at.n, false));
      cpu().matmul(y.view(), a.view(), b.view(), false, false, bias.view(), activation, 0.2, Compute::f32);
      expect_close(y, expected, 2e-6, "activation " + std::to_string(static_cast<int>(activation)));
    }
  }
}

TEST(CpuMatmul, Bf16RoundsTheOperands) {
  for (const Case& at : {Case{0, 70, 90, 110}, Case{0, 60, 50, 4001}, Case{3, 17, 9, 20}, Case{0, 1, 33, 7}}) {
    for (const bool transpose : {false, true}) {
      Floats a = noise(matrix(at, at.m, at.k, transpose), 1), b = noise(matrix(at, at.k, at.n, transpose), 2);
      const auto compute = [&](View out) {
        cpu().matmul(out, a.view(), b.view(), transpose, transpose, {}, Activation::identity, 0, Compute::bf16);
      };
      const Floats y = compute_stably(matrix(at, at.m, at.n, false), compute, "bf16");
      for (Floats* operand : {&a, &b}) {
        for (float& value : operand->data) {
          std::uint32_t bits;
          std::memcpy(&bits, &value, 4);
          bits = (bits + 0x7fffU + ((bits >> 16U) & 1U)) & 0xffff0000U;
          std::memcpy(&value, &bits, 4);
        }
      }
      expect_close(y, product(at, a, b, transpose, transpose), 1e-6 + 3e-8 * static_cast<double>(at.k), "bf16");
    }
  }
}

TEST(CpuMatmul, EmptyProducts) {
  Floats a(Shape{0, 5}), b(Shape{5, 4}), y(Shape{0, 4});
  cpu().matmul(y.view(), a.view(), b.view(), false, false, {}, Activation::relu, 0, Compute::f32);
}

TEST(CpuPowerIteration, ConvergesToTheLargestSingularValue) {
  // weight = 5 a b^T + c d^T with orthonormal pairs: the singular values are 5 and 1.
  const std::int64_t rows = 37, columns = 301;
  Floats weight(Shape{rows, columns}), u = noise({rows}, 4), v(Shape{columns});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      const double a = i < 18 ? 1 / std::sqrt(18.0) : 0, c = i < 18 ? 0 : 1 / std::sqrt(19.0);
      const double b = j < 100 ? 0.1 : 0, d = j < 100 ? 0 : 1 / std::sqrt(201.0);
      weight[i * columns + j] = static_cast<float>(5 * a * b + c * d);
    }
  for (float& value : u.data) value += 2;
  const Floats start = u;
  const Floats stable = compute_stably(
      Shape{rows},
      [&](View out) {
        std::memcpy(out.data, start.data.data(), start.data.size() * 4);
        cpu().power_iteration(out, v.view(), weight.view(), 12, 1e-12);
      },
      "u");
  for (std::int64_t i = 0; i < rows; ++i) EXPECT_NEAR(stable[i], i < 18 ? 1 / std::sqrt(18.0) : 0, 1e-5);
  for (std::int64_t j = 0; j < columns; ++j) EXPECT_NEAR(v[j], j < 100 ? 0.1 : 0, 1e-5);
}

TEST(CpuPowerIteration, OneRoundIsWtuThenWv) {
  const Floats weight = noise({5, 33}, 1);
  Floats u = noise({5}, 2), v(Shape{33});
  std::vector<double> right(33), left(5);
  double norm = 0;
  for (std::int64_t j = 0; j < 33; ++j) {
    for (std::int64_t i = 0; i < 5; ++i)
      right[static_cast<std::size_t>(j)] += static_cast<double>(weight[i * 33 + j]) * static_cast<double>(u[i]);
    norm += right[static_cast<std::size_t>(j)] * right[static_cast<std::size_t>(j)];
  }
  for (double& value : right) value /= std::sqrt(norm);
  norm = 0;
  for (std::int64_t i = 0; i < 5; ++i) {
    for (std::int64_t j = 0; j < 33; ++j)
      left[static_cast<std::size_t>(i)] += static_cast<double>(weight[i * 33 + j]) * right[static_cast<std::size_t>(j)];
    norm += left[static_cast<std::size_t>(i)] * left[static_cast<std::size_t>(i)];
  }
  for (double& value : left) value /= std::sqrt(norm);
  cpu().power_iteration(u.view(), v.view(), weight.view(), 1, 1e-12);
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_NEAR(u[i], left[static_cast<std::size_t>(i)], 1e-6);
  for (std::int64_t j = 0; j < 33; ++j) EXPECT_NEAR(v[j], right[static_cast<std::size_t>(j)], 1e-6);
  // A zero matrix: epsilon keeps the division finite.
  const Floats zero(Shape{5, 33});
  cpu().power_iteration(u.view(), v.view(), zero.view(), 2, 1e-12);
  for (const float value : v.data) EXPECT_EQ(value, 0.0F);
}

}  // namespace
}  // namespace counterfoil::test
