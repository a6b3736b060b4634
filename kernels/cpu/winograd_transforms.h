#pragma once

#include "kernels/cpu/simd.h"

/// The linear maps of Winograd's F(4, taps) on a line, sixteen channels at a time: y = A' ((G g) * (B' d)), four
/// values, is the correlation of d with the taps g. The maps come from evaluating polynomials at 0, a, -a, b, -b and
/// infinity, without -b for two taps.
namespace counterfoil::cpu::winograd {

// Exact in f32, as are their products.
inline constexpr float a = 0.75F, b = 1.5F, aa = a * a, bb = b * b;

/// The form of 3x3 convolutions with stride 1.
struct ThreeTaps {
  static constexpr int kTaps = 3, kPoints = 6, kStep = 1;
  static constexpr float over_0 = 1 / (aa * bb), over_a = 1 / (2 * aa * (aa - bb)), over_b = 1 / (2 * bb * (bb - aa));

  /// v = B' d
  struct Input {
    static constexpr int kFrom = 6, kTo = 6;
    [[gnu::always_inline]] static void apply(Lanes* v, const Lanes* d) {
      const Lanes even_a = d[4] - bb * d[2], odd_a = a * (d[3] - bb * d[1]);
      const Lanes even_b = d[4] - aa * d[2], odd_b = b * (d[3] - aa * d[1]);
      v[0] = d[4] - (aa + bb) * d[2] + (aa * bb) * d[0];
      v[1] = even_a + odd_a;
      v[2] = even_a - odd_a;
      v[3] = even_b + odd_b;
      v[4] = even_b - odd_b;
      v[5] = d[5] - (aa + bb) * d[3] + (aa * bb) * d[1];
    }
  };

  /// y = A' m
  struct Output {
    static constexpr int kFrom = 6, kTo = 4;
    [[gnu::always_inline]] static void apply(Lanes* y, const Lanes* m) {
      const Lanes sum_a = m[1] + m[2], difference_a = m[1] - m[2], sum_b = m[3] + m[4], difference_b = m[3] - m[4];
      y[0] = m[0] + sum_a + sum_b;
      y[1] = a * difference_a + b * difference_b;
      y[2] = aa * sum_a + bb * sum_b;
      y[3] = (aa * a) * difference_a + (bb * b) * difference_b + m[5];
    }
  };

  /// m = A y
  struct OutputAdjoint {
    static constexpr int kFrom = 4, kTo = 6;
    [[gnu::always_inline]] static void apply(Lanes* m, const Lanes* y) {
      const Lanes even_a = y[0] + aa * y[2], odd_a = a * (y[1] + aa * y[3]);
      const Lanes even_b = y[0] + bb * y[2], odd_b = b * (y[1] + bb * y[3]);
      m[0] = y[0];
      m[1] = even_a + odd_a;
      m[2] = even_a - odd_a;
      m[3] = even_b + odd_b;
      m[4] = even_b - odd_b;
      m[5] = y[3];
    }
  };

  /// u = G g
  struct Weight {
    static constexpr int kFrom = 3, kTo = 6;
    [[gnu::always_inline]] static void apply(Lanes* u, const Lanes* g) {
      const Lanes even_a = over_a * (g[0] + aa * g[2]), odd_a = (over_a * a) * g[1];
      const Lanes even_b = over_b * (g[0] + bb * g[2]), odd_b = (over_b * b) * g[1];
      u[0] = over_0 * g[0];
      u[1] = even_a + odd_a;
      u[2] = even_a - odd_a;
      u[3] = even_b + odd_b;
      u[4] = even_b - odd_b;
      u[5] = g[2];
    }
  };

  /// g = G' u
  struct WeightAdjoint {
    static constexpr int kFrom = 6, kTo = 3;
    [[gnu::always_inline]] static void apply(Lanes* g, const Lanes* u) {
      const Lanes sum_a = over_a * (u[1] + u[2]), difference_a = u[1] - u[2];
      const Lanes sum_b = over_b * (u[3] + u[4]), difference_b = u[3] - u[4];
      g[0] = over_0 * u[0] + sum_a + sum_b;
      g[1] = (over_a * a) * difference_a + (over_b * b) * difference_b;
      g[2] = aa * sum_a + bb * sum_b + u[5];
    }
  };
};

/// The form of 4x4 convolutions with stride 2: a sum of four convolutions 2x2 with stride 1, of the pixels in even and
/// odd rows and columns.
struct TwoTaps {
  static constexpr int kTaps = 2, kPoints = 5, kStep = 2;
  static constexpr float over_0 = 1 / (aa * b), over_a = 1 / (2 * aa * (a - b)), over_minus_a = -1 / (2 * aa * (a + b)),
                         over_b = 1 / (b * (bb - aa));

  struct Input {
    static constexpr int kFrom = 5, kTo = 5;
    [[gnu::always_inline]] static void apply(Lanes* v, const Lanes* d) {
      const Lanes even = d[3] - b * d[2], odd = a * (d[2] - b * d[1]);
      v[0] = even - aa * (d[1] - b * d[0]);
      v[1] = even + odd;
      v[2] = even - odd;
      v[3] = d[3] - aa * d[1];
      v[4] = (d[4] - b * d[3]) - aa * (d[2] - b * d[1]);
    }
  };

  struct Output {
    static constexpr int kFrom = 5, kTo = 4;
    [[gnu::always_inline]] static void apply(Lanes* y, const Lanes* m) {
      const Lanes sum = m[1] + m[2], difference = m[1] - m[2];
      y[0] = m[0] + sum + m[3];
      y[1] = a * difference + b * m[3];
      y[2] = aa * sum + bb * m[3];
      y[3] = (aa * a) * difference + (bb * b) * m[3] + m[4];
    }
  };

  struct OutputAdjoint {
    static constexpr int kFrom = 4, kTo = 5;
    [[gnu::always_inline]] static void apply(Lanes* m, const Lanes* y) {
      const Lanes even = y[0] + aa * y[2], odd = a * (y[1] + aa * y[3]);
      m[0] = y[0];
      m[1] = even + odd;
      m[2] = even - odd;
      m[3] = y[0] + b * y[1] + bb * (y[2] + b * y[3]);
      m[4] = y[3];
    }
  };

  struct Weight {
    static constexpr int kFrom = 2, kTo = 5;
    [[gnu::always_inline]] static void apply(Lanes* u, const Lanes* g) {
      u[0] = over_0 * g[0];
      u[1] = over_a * (g[0] + a * g[1]);
      u[2] = over_minus_a * (g[0] - a * g[1]);
      u[3] = over_b * (g[0] + b * g[1]);
      u[4] = g[1];
    }
  };

  struct WeightAdjoint {
    static constexpr int kFrom = 5, kTo = 2;
    [[gnu::always_inline]] static void apply(Lanes* g, const Lanes* u) {
      const Lanes at_a = over_a * u[1], at_minus_a = over_minus_a * u[2], at_b = over_b * u[3];
      g[0] = over_0 * u[0] + at_a + at_minus_a + at_b;
      g[1] = a * (at_a - at_minus_a) + b * at_b + u[4];
    }
  };
};

/// Map x Map' of a square x: load(i, j) gives x's values, store(i, j, lanes) takes the result's.
template <typename Map, typename Load, typename Store>
[[gnu::always_inline]] inline void transform_square(Load&& load, Store&& store) {
  Lanes half[Map::kFrom][Map::kTo];
  for (int i = 0; i < Map::kFrom; ++i) {
    Lanes row[Map::kFrom];
#pragma GCC unroll 6
    for (int j = 0; j < Map::kFrom; ++j) row[j] = load(i, j);
    Map::apply(half[i], row);
  }
  for (int j = 0; j < Map::kTo; ++j) {
    Lanes column[Map::kFrom], out[Map::kTo];
#pragma GCC unroll 6
    for (int i = 0; i < Map::kFrom; ++i) column[i] = half[i][j];
    Map::apply(out, column);
#pragma GCC unroll 6
    for (int i = 0; i < Map::kTo; ++i) store(i, j, out[i]);
  }
}

}  // namespace counterfoil::cpu::winograd
