#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/device.h"
#include "tests/kernels/arrays.h"

// The cpu backend's loops against the reference backend in double, on the same f32 inputs.
namespace counterfoil::cpu_loops {

using test::Floats;
using test::Indices;
using test::same_bits;

inline Floats uniform(Shape shape, unsigned seed, float low = -1, float high = 1) {
  std::mt19937 random(seed);
  Floats array(shape);
  for (float& value : array.data) value = low + (high - low) * (static_cast<float>(random() >> 8) * 0x1p-24f);
  return array;
}

/// Few distinct values, so that comparisons meet equals and kinks.
inline Floats grid(Shape shape, unsigned seed, int low = -2, int high = 2) {
  std::mt19937 random(seed);
  Floats array(shape);
  for (float& value : array.data)
    value = static_cast<float>(low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1)));
  return array;
}

inline Indices random_indices(std::int64_t count, int end, unsigned seed) {
  std::mt19937 random(seed);
  Indices indices(Shape{count}, 0);
  for (std::int32_t& value : indices.data) value = static_cast<std::int32_t>(random() % static_cast<unsigned>(end));
  return indices;
}

inline Backend& cpu() {
  return cpu_device().backend();
}
inline Backend& reference() {
  return reference_device().backend();
}

/// A number of threads for the length of a scope.
class Threads {
 public:
  explicit Threads(int count) : before_(thread_count()) { set_thread_count(count); }
  ~Threads() { set_thread_count(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

struct Tolerance {
  double relative = 2e-6, absolute = 1e-6;
};

inline void expect_close(const std::vector<float>& got, const std::vector<double>& want, Tolerance tolerance,
                         const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto value = static_cast<double>(got[i]);
    if (std::isnan(want[i])) {
      ASSERT_TRUE(std::isnan(value)) << what << " at " << i << ": " << value << " instead of NaN";
    } else if (std::isinf(static_cast<float>(want[i]))) {
      ASSERT_EQ(got[i], static_cast<float>(want[i])) << what << " at " << i;
    } else {
      ASSERT_LE(std::fabs(value - want[i]), tolerance.absolute + tolerance.relative * std::fabs(want[i]))
          << what << " at " << i << ": " << value << " instead of " << want[i];
    }
  }
}

using Call = std::function<void(Backend& backend, View out, const std::vector<ConstView>& in)>;

/// Runs a primitive on both backends: the cpu's result is the same bits with 1 and 2 threads and again, overwrites what
/// was in the output, and is close to the reference's in double.
inline void expect_like_reference(Shape out_shape, const std::vector<Floats>& in, const Call& call, Tolerance tolerance,
                                  const std::string& what) {
  const auto on_cpu = [&](int threads, float garbage) {
    const Threads scope(threads);
    std::vector<ConstView> views;
    for (const Floats& array : in) views.push_back(array.view());
    Floats out(out_shape, garbage);
    call(cpu(), out.view(), views);
    return out;
  };
  std::vector<std::vector<double>> wide;
  std::vector<ConstView> wide_views;
  for (const Floats& array : in) wide.emplace_back(array.data.begin(), array.data.end());
  for (std::size_t i = 0; i < in.size(); ++i) wide_views.push_back({wide[i].data(), in[i].shape, DType::f64});
  std::vector<double> want(static_cast<std::size_t>(out_shape.size()), 7.0);
  call(reference(), View{want.data(), out_shape, DType::f64}, wide_views);

  const Floats got = on_cpu(1, std::nanf(""));
  expect_close(got.data, want, tolerance, what + " -> " + out_shape.to_string());
  EXPECT_TRUE(same_bits(got, on_cpu(2, 3.0f)))
      << what << " -> " << out_shape.to_string() << ": threads change the bits";
  EXPECT_TRUE(same_bits(got, on_cpu(2, -5.0f)))
      << what << " -> " << out_shape.to_string() << ": a repeat changes the bits";
}

inline std::string describe(const char* name, int op, const Shape& shape) {
  return std::string(name) + " " + std::to_string(op) + " " + shape.to_string();
}

}  // namespace counterfoil::cpu_loops
