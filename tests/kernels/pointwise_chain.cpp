#include <bit>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/device.h"
#include "tensor/ops.h"

// A chain gives the bits of its operations made one after another, on every backend. A NaN is a NaN: which of two goes
// on, and with what sign, is the compiler's choice.

namespace counterfoil {
namespace {

constexpr auto kUnaryOps = static_cast<unsigned>(UnaryOp::inside) + 1;
constexpr auto kBinaryOps = static_cast<unsigned>(BinaryOp::equal) + 1;

struct Where {
  const char* device;
  DType dtype;
};

class PointwiseChain : public testing::TestWithParam<Where> {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_THREAD__)
    if (std::string_view(GetParam().device) == "simt") GTEST_SKIP() << "ThreadSanitizer cannot follow it";
#endif
  }

  static Device& device() {
    return open_device(GetParam().device);
  }

  /// Numbers of every kind; among them angles that not every loop of a sine takes.
  Tensor numbers(std::int64_t count) {
    constexpr float kSpecial[] = {0.0f, -0.0f, 1.0f, -1.0f, HUGE_VALF, -HUGE_VALF, NAN, 1e-40f, 3e38f, 2e8f};
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) {
      const bool special = random_() % 16 == 0;
      value = special ? kSpecial[random_() % std::size(kSpecial)] : (static_cast<float>(random_() >> 8) * 0x1p-22f - 2);
    }
    return Tensor::from(values, {count}, device()).to(GetParam().dtype);
  }

  std::vector<Tensor> inputs(std::size_t number, std::int64_t count) {
    std::vector<Tensor> all;
    for (std::size_t k = 0; k < number; ++k) all.push_back(numbers(count));
    return all;
  }

  ChainStep any_step(std::size_t inputs) {
    const int k = static_cast<int>(random_() % inputs);
    const auto unary = static_cast<UnaryOp>(random_() % kUnaryOps);
    const auto binary = static_cast<BinaryOp>(random_() % kBinaryOps);
    const unsigned form = random_() % 4;
    if (form == 0) return {binary, k};
    if (form == 1) return {k, binary};
    return {unary, 0.75, 1.3};
  }

  std::mt19937 random_{1};
};

Tensor apart(const std::vector<Tensor>& x, const std::vector<ChainStep>& steps) {
  Tensor a = x[0];
  for (const ChainStep& step : steps) {
    if (step.form == ChainStep::Form::unary) {
      a = unary(step.unary, a, step.p0, step.p1);
    } else {
      const Tensor& other = x[static_cast<std::size_t>(step.input)];
      const bool first = step.form == ChainStep::Form::accumulator_first;
      a = first ? binary(step.binary, a, other) : binary(step.binary, other, a);
    }
  }
  return a;
}

/// How many elements differ in a bit, and are not both NaN.
int differences(const Tensor& a, const Tensor& b) {
  const std::vector<double> left = a.to_doubles(), right = b.to_doubles();
  EXPECT_EQ(left.size(), right.size());
  int found = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    found += std::bit_cast<std::uint64_t>(left[i]) != std::bit_cast<std::uint64_t>(right[i]) &&
             !(std::isnan(left[i]) && std::isnan(right[i]));
  }
  return found;
}

TEST_P(PointwiseChain, GivesTheBitsOfEachOperationInBothOrders) {
  const std::vector<Tensor> x = inputs(3, 16391);  // a chunk of the cpu's loops and a rest
  const auto expect_same = [&](const ChainStep& step, unsigned op) {
    const std::vector<ChainStep> steps{{UnaryOp::affine, 1.1, 0.1}, step, {BinaryOp::add, 1}};
    EXPECT_EQ(differences(pointwise_chain(x, steps), apart(x, steps)), 0)
        << "operation " << op << ", form " << static_cast<int>(step.form);
  };
  for (unsigned op = 0; op < kUnaryOps; ++op) expect_same({static_cast<UnaryOp>(op), 0.75, 1.3}, op);
  for (const double power : {0.0, 1.0, 2.0, 3.0, -1.5}) expect_same({UnaryOp::pow, power}, 7);
  for (unsigned op = 0; op < kBinaryOps; ++op) {
    expect_same({static_cast<BinaryOp>(op), 2}, op);
    expect_same({2, static_cast<BinaryOp>(op)}, op);
  }
}

TEST_P(PointwiseChain, GivesTheBitsOfAnyProgram) {
  for (const std::int64_t count : {0, 1, 3, 4, 6, 1023, 40001}) {
    for (std::size_t number = 1; number <= kMaxChainInputs; ++number) {
      const std::vector<Tensor> x = inputs(number, count);
      for (const std::size_t length : {std::size_t{1}, std::size_t{5}, kMaxChainSteps}) {
        std::vector<ChainStep> steps;
        for (std::size_t i = 0; i < length; ++i) steps.push_back(any_step(number));
        ASSERT_EQ(differences(pointwise_chain(x, steps), apart(x, steps)), 0)
            << count << " elements, " << number << " inputs, " << length << " steps";
      }
    }
  }
}

TEST_P(PointwiseChain, TakesAnyAddress) {
  const std::int64_t count = 1030;
  const std::vector<Tensor> x = inputs(2, count);
  const std::vector<ChainStep> steps{{BinaryOp::subtract, 1}, {UnaryOp::exp}, {1, BinaryOp::divide}};
  const Tensor expected = apart(x, steps);
  const auto beyond_first = [&](const void* data) {
    return static_cast<char*>(const_cast<void*>(data)) + size_of(GetParam().dtype);
  };
  const Shape shape{count - 1};
  Tensor out = x[0].zeros_like();
  const std::vector<ConstView> views{{beyond_first(x[0].view().data), shape, GetParam().dtype},
                                     {beyond_first(x[1].view().data), shape, GetParam().dtype}};
  device().backend().pointwise_chain({beyond_first(out.view().data), shape, GetParam().dtype}, views, steps);
  const Tensor last = slice(expected, 0, 1, count);
  EXPECT_EQ(differences(slice(out, 0, 1, count), last), 0);
  EXPECT_EQ(slice(out, 0, 0, 1).item(), 0) << "before the array";
}

TEST_P(PointwiseChain, WritesOverAnyInput) {
  for (std::size_t over = 0; over < kMaxChainInputs; ++over) {
    std::vector<Tensor> x = inputs(kMaxChainInputs, 20001);
    std::vector<ChainStep> steps{{UnaryOp::affine, 0.5, 2}};
    for (int k = 0; k < static_cast<int>(kMaxChainInputs); ++k) steps.emplace_back(BinaryOp::multiply, k);
    steps.emplace_back(0, BinaryOp::subtract);
    const Tensor expected = apart(x, steps);
    std::vector<ConstView> views;
    for (const Tensor& one : x) views.push_back(one.view());
    device().backend().pointwise_chain(x[over].mutable_view(), views, steps);
    EXPECT_EQ(differences(x[over], expected), 0) << "over input " << over;
  }
}

INSTANTIATE_TEST_SUITE_P(On, PointwiseChain,
                         testing::Values(Where{"cpu", DType::f32}, Where{"simt", DType::f32},
                                         Where{"reference", DType::f32}, Where{"reference", DType::f64}),
                         [](const auto& where) {
                           return where.param.device + std::string("_") + std::string(name_of(where.param.dtype));
                         });

}  // namespace
}  // namespace counterfoil
