#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "kernels/error.h"
#include "tests/kernels/cpu_loops.h"

namespace counterfoil::cpu_loops {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::f64, DType::bf16, DType::u8, DType::i32, DType::i64};

// An array of any dtype, as bytes.
struct Bytes {
  Shape shape;
  DType dtype;
  std::vector<unsigned char> data;

  Bytes(Shape s, DType d, unsigned seed) : shape(s), dtype(d), data(static_cast<std::size_t>(s.size()) * size_of(d)) {
    std::mt19937 random(seed);
    for (unsigned char& byte : data) byte = static_cast<unsigned char>(random());
  }
  View view() { return {data.data(), shape, dtype}; }
  ConstView view() const { return {data.data(), shape, dtype}; }
};

// Movement is exact on both backends, whatever the bytes mean.
template <typename Run>
void expect_same_bytes(Shape out_shape, DType dtype, Run run, const std::string& what) {
  Bytes want(out_shape, dtype, 1), got(out_shape, dtype, 2);
  run(reference(), want.view());
  for (const int threads : {1, 2}) {
    const Threads scope(threads);
    run(cpu(), got.view());
    ASSERT_EQ(got.data, want.data) << what << " " << name_of(dtype) << " " << out_shape.to_string();
  }
}

TEST(CpuLoopsArrange, EveryPermutation) {
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{0, 3}, Shape{35, 70}, Shape{2, 33, 3}, Shape{3, 17, 9, 5},
                             Shape{2, 1, 34, 33}, Shape{2, 3, 4, 5, 6}}) {
    std::vector<int> order(static_cast<std::size_t>(shape.rank()));
    std::iota(order.begin(), order.end(), 0);
    do {
      std::vector<std::int64_t> extents;
      for (const int axis : order) extents.push_back(shape[axis]);
      for (const DType dtype : {DType::u8, DType::bf16, DType::f32, DType::i64}) {
        const Bytes x(shape, dtype, 3);
        expect_same_bytes(
            Shape(extents), dtype, [&](Backend& b, View out) { b.permute(out, x.view(), order); }, "permute");
      }
    } while (std::ranges::next_permutation(order).found);
  }
}

TEST(CpuLoopsArrange, SliceAndPad) {
  struct Case {
    Shape whole, part;
    std::vector<std::int64_t> begin;
  };
  const std::vector<Case> cases{
      {{}, {}, {}},
      {{5}, {5}, {0}},
      {{5}, {0}, {3}},
      {{9}, {4}, {3}},
      {{40000}, {39990}, {7}},
      {{6, 7, 8, 3}, {6, 7, 8, 1}, {0, 0, 0, 2}},
      {{6, 7, 8, 3}, {6, 5, 6, 3}, {0, 1, 1, 0}},
      {{6, 7, 8, 3}, {2, 7, 8, 3}, {3, 0, 0, 0}},
      {{6, 7, 8, 3}, {1, 1, 1, 1}, {5, 6, 7, 2}},
      {{2, 30, 30, 16}, {2, 28, 28, 16}, {0, 1, 1, 0}},
      {{2, 30, 30, 32}, {2, 30, 30, 16}, {0, 0, 0, 16}},
      {{3, 4, 5, 6, 7}, {2, 3, 1, 4, 5}, {1, 0, 4, 1, 2}},
      {{4, 0, 3}, {2, 0, 3}, {1, 0, 0}},
  };
  for (const Case& c : cases) {
    for (const DType dtype : kTypes) {
      const Bytes whole(c.whole, dtype, 3), part(c.part, dtype, 4);
      expect_same_bytes(
          c.part, dtype, [&](Backend& b, View out) { b.slice(out, whole.view(), c.begin); }, "slice");
      expect_same_bytes(
          c.whole, dtype, [&](Backend& b, View out) { b.pad(out, part.view(), c.begin); }, "pad");
    }
  }
  Floats small(Shape{3}), large(Shape{5});
  const std::vector<std::int64_t> outside{3};
  EXPECT_THROW(cpu().slice(small.view(), large.view(), outside), Error);
  EXPECT_THROW(cpu().pad(large.view(), small.view(), outside), Error);
}

TEST(CpuLoopsArrange, Concat) {
  for (const DType dtype : kTypes) {
    for (int axis = 0; axis < 4; ++axis) {
      const Shape base{3, 5, 4, 6};
      std::vector<Bytes> parts;
      std::vector<ConstView> views;
      std::int64_t total = 0;
      for (const std::int64_t extent : {2, 0, 1, 7}) {
        parts.emplace_back(base.with(axis, extent), dtype, static_cast<unsigned>(extent));
        total += extent;
      }
      for (const Bytes& part : std::as_const(parts)) views.push_back(part.view());
      expect_same_bytes(
          base.with(axis, total), dtype, [&](Backend& b, View out) { b.concat(out, views, axis); }, "concat");
    }
  }
}

TEST(CpuLoopsArrange, FillAndConvertBetweenAllTypes) {
  Floats source(Shape{20003});
  source.data = uniform(source.shape, 1, -400, 400).data;
  for (std::size_t i = 0; i < 2000; ++i) source.data[i] = std::round(source.data[i]) / 2;  // ties
  source.data[5] = std::nanf("");
  source.data[6] = HUGE_VALF;
  source.data[7] = -HUGE_VALF;
  source.data[8] = 3e9f;
  source.data[9] = -1e20f;
  for (const DType from : kTypes) {
    Bytes x(source.shape, from, 1);
    reference().convert(x.view(), source.view(), 1);
    for (const DType to : kTypes) {
      for (const double scale : {1.0, 1.0 / 255, 7.0}) {
        expect_same_bytes(
            x.shape, to, [&](Backend& b, View out) { b.convert(out, std::as_const(x).view(), scale); },
            std::string("convert from ") + std::string(name_of(from)));
      }
    }
    for (const double value : {0.0, 2.5, 3.5, -7.0, 1e30}) {
      expect_same_bytes(
          Shape{40000}, from, [&](Backend& b, View out) { b.fill(out, value); }, "fill");
    }
  }
}

TEST(CpuLoopsArrange, ConversionsRoundToEvenAndSaturate) {
  Floats x(Shape{6});
  x.data = {0.5f, 1.5f, 300, -3, std::nanf(""), 254.5f};
  std::vector<std::uint8_t> out(6);
  cpu().convert(View{out.data(), x.shape, DType::u8}, x.view(), 1);
  EXPECT_EQ(out, (std::vector<std::uint8_t>{0, 2, 255, 0, 0, 254}));
}

}  // namespace
}  // namespace counterfoil::cpu_loops
