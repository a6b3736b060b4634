#include "kernels/error.h"
#include "tests/kernels/cpu_loops.h"

namespace counterfoil::cpu_loops {
namespace {

struct Case {
  Shape x, out;
};

const std::vector<Case> kCases{
    {{}, {}},
    {{1}, {1}},
    {{17}, {1}},
    {{100003}, {1}},
    {{3, 5, 7, 2}, {1, 1, 1, 1}},
    {{3, 5, 7, 2}, {3, 1, 1, 1}},
    {{3, 5, 7, 2}, {1, 1, 1, 2}},
    {{3, 5, 7, 2}, {3, 1, 1, 2}},
    {{3, 5, 7, 2}, {3, 5, 7, 1}},
    {{3, 5, 7, 2}, {1, 5, 7, 2}},
    {{3, 5, 7, 2}, {1, 5, 1, 2}},
    {{3, 5, 7, 2}, {3, 1, 7, 1}},
    {{3, 5, 7, 2}, {3, 5, 7, 2}},
    {{8, 40, 41, 3}, {1, 1, 1, 3}},
    {{8, 40, 41, 3}, {8, 1, 1, 3}},
    {{4, 30, 31, 33}, {1, 1, 1, 33}},
    {{2, 20, 20, 150}, {1, 1, 1, 150}},
    {{2, 9, 9, 300}, {2, 1, 1, 300}},
    {{3, 70, 70, 5}, {3, 1, 1, 1}},
    {{40000, 3}, {40000, 1}},
    {{3, 40000}, {3, 1}},
    {{3, 40000}, {1, 40000}},
    {{2, 3, 4, 5, 6}, {2, 1, 4, 1, 6}},
    {{2, 3, 4, 5, 6}, {1, 3, 1, 5, 1}},
    {{2, 3, 4, 5, 6}, {1, 3, 1, 5, 6}},
};

constexpr ReduceOp kOps[] = {ReduceOp::sum, ReduceOp::sum_abs, ReduceOp::sum_squares, ReduceOp::max, ReduceOp::min};

TEST(CpuLoopsReduce, EveryKindOfAxes) {
  for (const Case& c : kCases) {
    for (const ReduceOp op : kOps) {
      expect_like_reference(
          c.out, {uniform(c.x, 1)},
          [op](Backend& b, View out, const std::vector<ConstView>& in) { b.reduce(op, out, in[0]); }, {1e-7, 1e-9},
          describe("reduce", static_cast<int>(op), c.x));
    }
  }
}

TEST(CpuLoopsReduce, TenMillionElements) {
  const Floats x(Shape{10'000'000}, 0.1f);
  Floats sum(Shape{1});
  cpu().reduce(ReduceOp::sum, sum.view(), x.view());
  EXPECT_FLOAT_EQ(sum.data[0], static_cast<float>(1e7 * static_cast<double>(0.1f)));
}

TEST(CpuLoopsReduce, OfNothing) {
  const Floats nothing(Shape{0, 4});
  Floats out(Shape{1, 4}, 9);
  cpu().reduce(ReduceOp::sum, out.view(), nothing.view());
  EXPECT_EQ(out.data, std::vector<float>(4, 0));
  EXPECT_THROW(cpu().reduce(ReduceOp::max, out.view(), nothing.view()), Error);
  EXPECT_THROW(cpu().reduce(ReduceOp::min, out.view(), nothing.view()), Error);
}

TEST(CpuLoopsReduce, NanWins) {
  for (const std::size_t where : {0u, 5u, 47u, 98u}) {
    Floats x = uniform({11, 9}, 1);
    x.data[where] = std::nanf("");
    for (const Shape& out_shape : {Shape{1, 1}, Shape{11, 1}, Shape{1, 9}}) {
      for (const ReduceOp op : kOps) {
        expect_like_reference(
            out_shape, {x}, [op](Backend& b, View out, const std::vector<ConstView>& in) { b.reduce(op, out, in[0]); },
            {1e-7, 1e-9}, describe("reduce with NaN", static_cast<int>(op), x.shape));
      }
    }
  }
}

TEST(CpuLoopsReduce, AllFinite) {
  for (const std::int64_t size : {0, 1, 31, 40000}) {
    Floats x = uniform(Shape{size}, 1, -1e38f, 1e38f), flag(Shape{1}, 5);
    cpu().all_finite(flag.view(), x.view());
    EXPECT_EQ(flag.data[0], 1) << size;
    for (const float bad : {HUGE_VALF, -HUGE_VALF, std::nanf("")}) {
      if (size == 0) continue;
      x.data.back() = bad;
      cpu().all_finite(flag.view(), x.view());
      EXPECT_EQ(flag.data[0], 0) << size << " " << bad;
    }
  }
}

constexpr LossOp kLosses[] = {LossOp::bce_with_logits, LossOp::l1, LossOp::l2, LossOp::hinge};

TEST(CpuLoopsLoss, SumsAndDerivatives) {
  for (const Case& c : kCases) {
    for (const LossOp op : kLosses) {
      const Floats a = op == LossOp::bce_with_logits ? uniform(c.x, 1, -20, 20) : grid(c.x, 1);
      const Floats b = op == LossOp::hinge ? grid(c.x, 2, -1, 1) : uniform(c.x, 2, 0, 1);
      const std::string what = describe("loss", static_cast<int>(op), c.x);
      expect_like_reference(
          c.out, {a, b},
          [op](Backend& backend, View out, const std::vector<ConstView>& in) {
            backend.loss(op, out, in[0], in[1], 0.125);
          },
          {1e-6, 1e-6}, what);
      expect_like_reference(
          c.x, {a, b, uniform(c.out, 3)},
          [op](Backend& backend, View out, const std::vector<ConstView>& in) {
            backend.loss_backward(op, out, in[0], in[1], in[2], 0.125);
          },
          {1e-6, 1e-7}, what + " backward");
    }
  }
}

TEST(CpuLoopsLoss, KinksHaveSlopeZero) {
  const Floats a(Shape{1}, 1), b(Shape{1}, 1), d_out(Shape{1}, 1);
  Floats d_a(Shape{1}, 5);
  for (const LossOp op : {LossOp::l1, LossOp::hinge}) {
    cpu().loss_backward(op, d_a.view(), a.view(), b.view(), d_out.view(), 1);
    EXPECT_EQ(d_a.data[0], 0);
  }
}

TEST(CpuLoopsLoss, ExtremeLogits) {
  Floats a(Shape{6}), b(Shape{6});
  a.data = {-200, 200, -1e30f, 1e30f, 0, 88};
  b.data = {0, 1, 1, 0, 0.5f, 1};
  Floats out(Shape{6});
  expect_like_reference(
      a.shape, {a, b},
      [](Backend& backend, View y, const std::vector<ConstView>& in) {
        backend.loss(LossOp::bce_with_logits, y, in[0], in[1], 1);
      },
      {1e-6, 1e-30}, "extreme logits");
}

TEST(CpuLoopsLoss, TotalVariation) {
  for (const Shape& x : {Shape{1, 1, 1, 1}, Shape{0, 4, 4, 1}, Shape{2, 0, 3, 1}, Shape{1, 5, 1, 3}, Shape{2, 1, 9, 2},
                         Shape{3, 17, 19, 3}, Shape{1, 40, 600, 1}}) {
    for (const double beta : {1.0, 2.0, 1.5, 3.0}) {
      Floats image = uniform(x, 1);
      for (std::size_t i = 0; i + 1 < image.data.size(); i += 5) image.data[i] = image.data[i + 1];  // flat spots
      const std::string what = "total_variation " + std::to_string(beta) + " " + x.to_string();
      expect_like_reference(
          {x[0]}, {image},
          [beta](Backend& b, View out, const std::vector<ConstView>& in) { b.total_variation(out, in[0], beta); },
          {2e-6, 1e-7}, what);
      expect_like_reference(
          x, {image, uniform({x[0]}, 2)},
          [beta](Backend& b, View out, const std::vector<ConstView>& in) {
            b.total_variation_backward(out, in[0], in[1], beta);
          },
          {2e-6, 1e-6}, what + " backward");
    }
  }
}

}  // namespace
}  // namespace counterfoil::cpu_loops
