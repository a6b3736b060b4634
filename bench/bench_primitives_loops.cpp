#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/roofline.h"
#include "kernels/backend.h"
#include "kernels/device.h"

// The cpu backend's loops by the bytes that must be read and written; loops/copy is the yardstick.

namespace counterfoil::bench {
namespace {

class Array {
 public:
  explicit Array(Shape shape, DType dtype = DType::f32)
      : view_{cpu_device().allocate(static_cast<std::size_t>(shape.size()) * size_of(dtype)), shape, dtype} {
    cpu_device().backend().fill(view_, 1);
  }
  ~Array() { cpu_device().release(view_.data, bytes()); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  const View& view() const { return view_; }
  std::size_t bytes() const { return static_cast<std::size_t>(view_.size()) * size_of(view_.dtype); }

 private:
  View view_;
};

// Activations [64,H,W,16]: at 28 x 28 an array is 3.2 MB and stays in a cache, at 224 x 224 it is 205 MB.
const std::vector<std::int64_t> kSides{28, 224};

struct Setup {
  Shape shape, channels{1, 1, 1, 16}, planes{64, 1, 1, 16}, images{64, 1, 1, 1};
  Array a, b, c, out, per_channel{channels}, per_plane{planes}, per_image{images}, scalar{Shape{1, 1, 1, 1}};

  explicit Setup(std::int64_t side) : shape{64, side, side, 16}, a(shape), b(shape), c(shape), out(shape) {
    Backend& cpu = cpu_device().backend();
    for (const Array* array : {&a, &b, &c}) cpu.random_normal(array->view(), {7, array->bytes()}, 0, 0, 1);
  }
};

struct Work {
  const char* name;
  int arrays;  // of the full size, read or written
  std::function<void(Backend&, const Setup&)> run;
};

const std::vector<Work>& works() {
  static const RandomKey key{1, 2};
  static const std::vector<Work> list{
      {"copy", 2, [](Backend& b, const Setup& s) { b.convert(s.out.view(), s.a.view(), 1); }},
      {"fill", 1, [](Backend& b, const Setup& s) { b.fill(s.out.view(), 3); }},
      {"relu", 2, [](Backend& b, const Setup& s) { b.unary(UnaryOp::relu, s.out.view(), s.a.view(), 0, 0); }},
      {"exp", 2, [](Backend& b, const Setup& s) { b.unary(UnaryOp::exp, s.out.view(), s.a.view(), 0, 0); }},
      {"log", 2, [](Backend& b, const Setup& s) { b.unary(UnaryOp::log, s.out.view(), s.a.view(), 0, 0); }},
      {"tanh", 2, [](Backend& b, const Setup& s) { b.unary(UnaryOp::tanh, s.out.view(), s.a.view(), 0, 0); }},
      {"sigmoid", 2, [](Backend& b, const Setup& s) { b.unary(UnaryOp::sigmoid, s.out.view(), s.a.view(), 0, 0); }},
      {"softplus", 2, [](Backend& b, const Setup& s) { b.unary(UnaryOp::softplus, s.out.view(), s.a.view(), 0, 0); }},
      {"sin", 2, [](Backend& b, const Setup& s) { b.unary(UnaryOp::sin, s.out.view(), s.a.view(), 0, 0); }},
      {"pow_1.7", 2, [](Backend& b, const Setup& s) { b.unary(UnaryOp::pow, s.out.view(), s.a.view(), 1.7, 0); }},
      {"tanh_backward", 3,
       [](Backend& b, const Setup& s) { b.unary_backward(UnaryOp::tanh, s.out.view(), s.a.view(), s.b.view(), 0, 0); }},
      {"leaky_relu_backward", 3,
       [](Backend& b, const Setup& s) {
         b.unary_backward(UnaryOp::leaky_relu, s.out.view(), s.a.view(), s.b.view(), 0.2, 0);
       }},
      {"activation_backward_relu", 3,
       [](Backend& b, const Setup& s) {
         b.activation_backward(Activation::relu, s.out.view(), s.a.view(), s.b.view(), 0);
       }},
      {"add", 3, [](Backend& b, const Setup& s) { b.binary(BinaryOp::add, s.out.view(), s.a.view(), s.b.view()); }},
      {"add_scalar", 2,
       [](Backend& b, const Setup& s) { b.binary(BinaryOp::add, s.out.view(), s.a.view(), s.scalar.view()); }},
      {"multiply_per_channel", 2,
       [](Backend& b, const Setup& s) {
         b.binary(BinaryOp::multiply, s.out.view(), s.a.view(), s.per_channel.view());
       }},
      {"multiply_per_plane", 2,
       [](Backend& b, const Setup& s) { b.binary(BinaryOp::multiply, s.out.view(), s.a.view(), s.per_plane.view()); }},
      {"multiply_per_image", 2,
       [](Backend& b, const Setup& s) { b.binary(BinaryOp::multiply, s.out.view(), s.a.view(), s.per_image.view()); }},
      {"broadcast_planes", 1, [](Backend& b, const Setup& s) { b.broadcast(s.out.view(), s.per_plane.view()); }},
      {"axpby", 3, [](Backend& b, const Setup& s) { b.axpby(s.out.view(), 2, s.a.view(), 3, s.b.view()); }},
      {"select", 4, [](Backend& b, const Setup& s) { b.select(s.out.view(), s.a.view(), s.b.view(), s.c.view()); }},
      {"sum", 1, [](Backend& b, const Setup& s) { b.reduce(ReduceOp::sum, s.scalar.view(), s.a.view()); }},
      {"max", 1, [](Backend& b, const Setup& s) { b.reduce(ReduceOp::max, s.scalar.view(), s.a.view()); }},
      {"sum_per_channel", 1,
       [](Backend& b, const Setup& s) { b.reduce(ReduceOp::sum, s.per_channel.view(), s.a.view()); }},
      {"sum_per_plane", 1, [](Backend& b, const Setup& s) { b.reduce(ReduceOp::sum, s.per_plane.view(), s.a.view()); }},
      {"sum_squares_per_image", 1,
       [](Backend& b, const Setup& s) { b.reduce(ReduceOp::sum_squares, s.per_image.view(), s.a.view()); }},
      {"all_finite", 1, [](Backend& b, const Setup& s) { b.all_finite(s.scalar.view(), s.a.view()); }},
      {"loss_l2", 2,
       [](Backend& b, const Setup& s) { b.loss(LossOp::l2, s.scalar.view(), s.a.view(), s.b.view(), 1); }},
      {"loss_bce", 2,
       [](Backend& b, const Setup& s) { b.loss(LossOp::bce_with_logits, s.scalar.view(), s.a.view(), s.b.view(), 1); }},
      {"loss_l1_backward", 3,
       [](Backend& b, const Setup& s) {
         b.loss_backward(LossOp::l1, s.out.view(), s.a.view(), s.b.view(), s.scalar.view(), 1);
       }},
      {"random_uniform", 1, [](Backend& b, const Setup& s) { b.random_uniform(s.out.view(), key, 0, 0, 1); }},
      {"random_normal", 1, [](Backend& b, const Setup& s) { b.random_normal(s.out.view(), key, 0, 0, 1); }},
      {"dropout", 2, [](Backend& b, const Setup& s) { b.dropout(s.out.view(), s.a.view(), key, 0, 0.2, false); }},
      {"dropout2d", 2, [](Backend& b, const Setup& s) { b.dropout(s.out.view(), s.a.view(), key, 0, 0.2, true); }},
      {"adam", 7,
       [](Backend& b, const Setup& s) {
         const ConstView gradient = s.a.view();
         b.adam({&s.out.view(), 1}, {&gradient, 1}, {&s.b.view(), 1}, {&s.c.view(), 1}, {});
       }},
      {"permute_nhwc_to_nchw", 2,
       [](Backend& b, const Setup& s) {
         const Shape& x = s.shape;
         b.permute({s.out.view().data, Shape{x[0], x[3], x[1], x[2]}, DType::f32}, s.a.view(),
                   std::vector<int>{0, 3, 1, 2});
       }},
      {"concat_channels", 2,
       [](Backend& b, const Setup& s) {
         const Shape half = s.shape.with(3, 8);
         const std::vector<ConstView> parts{{s.a.view().data, half, DType::f32}, {s.b.view().data, half, DType::f32}};
         b.concat(s.out.view(), parts, 3);
       }},
      {"total_variation", 1,
       [](Backend& b, const Setup& s) {
         b.total_variation({s.per_image.view().data, Shape{64}, DType::f32}, s.a.view(), 2);
       }},
  };
  return list;
}

void run_work(benchmark::State& state, const Work& work, std::int64_t side) {
  const Setup setup(side);
  Backend& cpu = cpu_device().backend();
  for (auto _ : state) work.run(cpu, setup);
  count_bytes(state, static_cast<double>(setup.a.bytes()) * work.arrays);
}

// Shapes of their own.

void softmax_rows(benchmark::State& state) {
  const Array x(Shape{4096, state.range(0)}), y(x.view().shape);
  for (auto _ : state) cpu_device().backend().softmax(y.view(), x.view(), false);
  count_bytes(state, 2 * static_cast<double>(x.bytes()));
}

void blur(benchmark::State& state) {
  const Array x(Shape{64, 112, 112, state.range(0)}), y(x.view().shape), taps(Shape{15});
  for (auto _ : state) {
    cpu_device().backend().separable_filter(y.view(), x.view(), taps.view(), taps.view(), Border::replicate);
  }
  count_flops(state, 60 * static_cast<double>(x.view().size()));
}

void nearest(benchmark::State& state) {
  const Array queries(Shape{256, state.range(0)}), base(Shape{4096, state.range(0)}), distance(Shape{256});
  const Array index(Shape{256}, DType::i32);
  for (auto _ : state) cpu_device().backend().nearest_row(distance.view(), index.view(), queries.view(), base.view());
  count_flops(state, 3.0 * 256 * 4096 * static_cast<double>(state.range(0)));
}

void percentile(benchmark::State& state) {
  const Array x(Shape{64, 224 * 224}), y(Shape{64});
  cpu_device().backend().random_normal(x.view(), {1, 1}, 0, 0, 1);
  for (auto _ : state) cpu_device().backend().order_statistic(y.view(), x.view(), 45000);
  count_bytes(state, static_cast<double>(x.bytes()));
}

void warp(benchmark::State& state) {
  const Array x(Shape{64, 28, 28, state.range(0)}), y(x.view().shape), theta(Shape{64, 2, 3});
  for (auto _ : state) cpu_device().backend().affine_warp(y.view(), x.view(), theta.view());
  count_bytes(state, 2 * static_cast<double>(x.bytes()));
}

BENCHMARK(softmax_rows)->Name("loops/softmax")->Arg(10)->Arg(1000)->UseRealTime();
BENCHMARK(blur)->Name("loops/separable_filter_15")->Arg(1)->Arg(3)->UseRealTime();
BENCHMARK(nearest)->Name("loops/nearest_row")->Arg(100)->Arg(784)->UseRealTime();
BENCHMARK(percentile)->Name("loops/order_statistic")->UseRealTime();
BENCHMARK(warp)->Name("loops/affine_warp")->Arg(1)->Arg(3)->UseRealTime();

const bool registered = [] {
  for (const std::int64_t side : kSides) {
    for (const Work& work : works()) {
      const std::string name = std::string("loops/") + work.name + "/" + std::to_string(side);
      benchmark::RegisterBenchmark(name.c_str(), [&work, side](benchmark::State& state) {
        run_work(state, work, side);
      })->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace counterfoil::bench
