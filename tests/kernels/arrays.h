#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/device.h"

namespace counterfoil::test {

/// An array on the host, for the primitives of host-accessible devices.
template <typename T>
struct Array {
  Shape shape;
  std::vector<T> data;

  explicit Array(const Shape& shape_, T value = T{})
      : shape(shape_), data(static_cast<std::size_t>(shape_.size()), value) {}
  Array(const Shape& shape_, std::vector<T> values) : shape(shape_), data(std::move(values)) {
    EXPECT_EQ(static_cast<std::int64_t>(data.size()), shape.size());
  }
  View view() { return {data.data(), shape, dtype_of<T>()}; }
  ConstView view() const { return {data.data(), shape, dtype_of<T>()}; }
  operator View() { return view(); }
  operator ConstView() const { return view(); }
  T& operator[](std::int64_t i) { return data[static_cast<std::size_t>(i)]; }
  const T& operator[](std::int64_t i) const { return data[static_cast<std::size_t>(i)]; }
  std::int64_t size() const { return shape.size(); }
};

using Floats = Array<float>;
using Doubles = Array<double>;
using Indices = Array<std::int32_t>;

/// Values in [centre - 1, centre + 1), the same on every run, with a grid fine enough that ties do not occur by chance.
inline Floats noise(const Shape& shape, std::uint32_t seed, float centre = 0) {
  Floats x(shape);
  std::uint32_t state = seed * 2654435761U + 12345U;
  for (float& value : x.data) {
    state = state * 1664525U + 1013904223U;
    value = centre + static_cast<float>(static_cast<std::int32_t>(state) >> 8) / 8388608.0F;
  }
  return x;
}

/// |found - expected| <= tolerance * (scale + |expected|), element by element; NaN matches NaN.
inline void expect_close(const Floats& found, const Doubles& expected, double tolerance, const std::string& what,
                         double scale = 1) {
  ASSERT_EQ(found.shape, expected.shape) << what;
  for (std::int64_t i = 0; i < found.size(); ++i) {
    const double got = static_cast<double>(found[i]);
    if (std::isnan(expected[i]) && std::isnan(got)) continue;
    ASSERT_LE(std::abs(got - expected[i]), tolerance * (scale + std::abs(expected[i])))
        << what << ": element " << i << " is " << got << ", expected " << expected[i];
  }
}

inline bool same_bits(const Floats& a, const Floats& b) {
  return a.shape == b.shape && (a.size() == 0 || std::memcmp(a.data.data(), b.data.data(), a.data.size() * 4) == 0);
}

/// Runs `compute` with 2 threads, 1 and 2 again, expects the same bits each time, and returns them.
inline Floats compute_stably(const Shape& shape, const std::function<void(View)>& compute, const std::string& what) {
  const int saved = thread_count();
  set_thread_count(2);
  Floats first(shape, 7.0F);
  compute(first.view());
  for (const int threads : {1, 2}) {
    set_thread_count(threads);
    Floats again(shape, -3.0F);
    compute(again.view());
    EXPECT_TRUE(same_bits(first, again)) << what << " with " << threads << " threads";
  }
  set_thread_count(saved);
  return first;
}

}  // namespace counterfoil::test
