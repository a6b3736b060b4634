#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/roofline.h"
#include "kernels/backend.h"
#include "kernels/device.h"

// The primitives of networks on the shapes of the digits training steps (batch 64) and a few beyond.
namespace counterfoil::bench {
namespace {

class Floats {
 public:
  explicit Floats(const Shape& shape) : shape_(shape), data_(static_cast<std::size_t>(shape.size())) {
    std::uint32_t state = 1;
    for (float& value : data_) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(static_cast<std::int32_t>(state)) / 2147483648.0F;
    }
  }
  operator View() { return {data_.data(), shape_, DType::f32}; }
  operator ConstView() const { return {data_.data(), shape_, DType::f32}; }
  double bytes() const { return 4.0 * static_cast<double>(data_.size()); }

 private:
  Shape shape_;
  std::vector<float> data_;
};

void add(const std::string& name, const std::function<void(benchmark::State&)>& run) {
  benchmark::RegisterBenchmark(name.c_str(), run)
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime()
      ->ComputeStatistics("min", [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); });
}

struct Convolution {
  std::int64_t n, size, c, k, kernel;
  int stride, padding, groups;
};

constexpr Convolution kConvolutions[] = {
    // U-Net 16/32/64 of the digits generators.
    {64, 28, 1, 16, 3, 1, 1, 1},
    {64, 28, 16, 16, 3, 1, 1, 1},
    {64, 28, 16, 32, 3, 1, 1, 1},
    {64, 14, 32, 32, 3, 1, 1, 1},
    {64, 14, 32, 64, 3, 1, 1, 1},
    {64, 7, 64, 64, 3, 1, 1, 1},
    {64, 7, 64, 32, 3, 1, 1, 1},
    {64, 7, 32, 32, 3, 1, 1, 1},
    {64, 14, 64, 16, 3, 1, 1, 1},
    {64, 14, 16, 16, 3, 1, 1, 1},
    {64, 28, 32, 1, 1, 1, 0, 1},
    // The discriminators.
    {64, 28, 1, 32, 3, 1, 1, 1},
    {64, 28, 32, 32, 3, 2, 1, 1},
    {64, 14, 64, 64, 3, 2, 1, 1},
    {64, 7, 64, 96, 3, 1, 1, 1},
    {64, 7, 96, 96, 3, 2, 1, 1},
    // LeNet.
    {64, 28, 1, 32, 3, 1, 0, 1},
    {64, 26, 32, 64, 3, 1, 0, 1},
    // Larger images, GAN kernels, the ends of a colour network, one image, depthwise.
    {16, 64, 64, 64, 3, 1, 1, 1},
    {8, 32, 128, 128, 3, 1, 1, 1},
    {32, 16, 256, 256, 4, 2, 1, 1},
    {16, 64, 3, 64, 4, 2, 1, 1},
    {16, 64, 3, 64, 7, 1, 3, 1},
    {16, 64, 64, 3, 7, 1, 3, 1},
    {1, 64, 64, 64, 3, 1, 1, 1},
    {1, 128, 32, 32, 3, 1, 1, 1},
    {16, 32, 128, 128, 1, 1, 0, 1},
    {16, 32, 128, 128, 3, 1, 1, 128},
    {16, 32, 128, 128, 3, 1, 1, 4},
};

void add_convolutions() {
  for (const Convolution& shape : kConvolutions) {
    const std::string suffix =
        fmt::format("{}x{}x{}x{}->{}/k{}s{}p{}{}", shape.n, shape.size, shape.size, shape.c, shape.k, shape.kernel,
                    shape.stride, shape.padding, shape.groups > 1 ? fmt::format("g{}", shape.groups) : "");
    for (const Compute compute : {Compute::f32, Compute::bf16}) {
      for (const char* direction : {"forward", "input_grad", "weight_grad"}) {
        const std::string name =
            fmt::format("conv2d_{}{}/{}", direction, compute == Compute::bf16 ? "_bf16" : "", suffix);
        add(name, [shape, compute, which = std::string(direction)](benchmark::State& state) {
          Conv2dGeometry geometry = Conv2dGeometry::square(shape.stride, shape.padding, 1, shape.groups);
          geometry.compute = compute;
          Floats x({shape.n, shape.size, shape.size, shape.c});
          Floats weight({shape.k, shape.kernel, shape.kernel, shape.c / shape.groups}), bias({shape.k});
          const std::int64_t p = geometry.output_height(shape.size, shape.kernel);
          Floats y({shape.n, p, p, shape.k});
          Backend& cpu = cpu_device().backend();
          for (auto _ : state) {
            if (which == "forward") cpu.conv2d(y, x, weight, bias, geometry, Activation::identity, 0);
            if (which == "input_grad") cpu.conv2d_input_grad(x, y, weight, geometry);
            if (which == "weight_grad") cpu.conv2d_weight_grad(weight, x, y, geometry);
          }
          count_flops(state, 2.0 * static_cast<double>(shape.n * p * p * shape.k * shape.kernel * shape.kernel) *
                                 static_cast<double>(shape.c / shape.groups));
        });
      }
    }
  }
}

struct Product {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
};

void add_products() {
  for (const Product& shape :
       {Product{64, 128, 9216, false, true}, Product{64, 9216, 128, false, false}, Product{128, 9216, 64, true, false},
        Product{64, 1, 1536, false, true}, Product{1, 1536, 64, true, false}, Product{512, 512, 512, false, false},
        Product{1000, 100, 100, false, true}, Product{1, 4096, 4096, false, true}}) {
    add(fmt::format("matmul/{}x{}x{}{}{}", shape.m, shape.n, shape.k, shape.transpose_a ? "/ta" : "",
                    shape.transpose_b ? "/tb" : ""),
        [shape](benchmark::State& state) {
          Floats a(shape.transpose_a ? Shape{shape.k, shape.m} : Shape{shape.m, shape.k});
          Floats b(shape.transpose_b ? Shape{shape.n, shape.k} : Shape{shape.k, shape.n});
          Floats y({shape.m, shape.n}), bias({shape.n});
          Backend& cpu = cpu_device().backend();
          for (auto _ : state) {
            cpu.matmul(y, a, b, shape.transpose_a, shape.transpose_b, bias, Activation::identity, 0, Compute::f32);
          }
          count_flops(state, 2.0 * static_cast<double>(shape.m * shape.n) * static_cast<double>(shape.k));
        });
  }
}

void add_norms() {
  for (const Shape& shape : {Shape{64, 28, 28, 1}, Shape{64, 28, 28, 16}, Shape{64, 14, 14, 32}, Shape{64, 7, 7, 64},
                             Shape{64, 28, 28, 64}, Shape{16, 64, 64, 128}}) {
    for (const std::int64_t groups : {std::int64_t{1}, shape[0]}) {
      const std::string suffix = fmt::format("{}{}", groups == 1 ? "batch" : "instance", shape.to_string());
      struct Arrays {
        Arrays(const Shape& shape, std::int64_t groups)
            : x(shape),
              y(shape),
              d_x(shape),
              d_y(shape),
              mean({groups, shape[3]}),
              variance({groups, shape[3]}),
              gamma({1, shape[3]}),
              beta({1, shape[3]}),
              d_gamma({1, shape[3]}),
              d_beta({1, shape[3]}) {
          cpu_device().backend().norm_statistics(mean, variance, x);
        }
        Floats x, y, d_x, d_y, mean, variance, gamma, beta, d_gamma, d_beta;
      };
      add("norm_statistics/" + suffix, [=](benchmark::State& state) {
        Arrays a(shape, groups);
        for (auto _ : state) cpu_device().backend().norm_statistics(a.mean, a.variance, a.x);
        count_bytes(state, a.x.bytes());
      });
      add("norm_apply_relu/" + suffix, [=](benchmark::State& state) {
        Arrays a(shape, groups);
        for (auto _ : state) {
          cpu_device().backend().norm_apply(a.y, a.x, a.mean, a.variance, a.gamma, a.beta, 1e-3, Activation::relu, 0);
        }
        count_bytes(state, 2 * a.x.bytes());
      });
      add("norm_backward_relu/" + suffix, [=](benchmark::State& state) {
        Arrays a(shape, groups);
        for (auto _ : state) {
          cpu_device().backend().norm_backward(a.d_x, a.d_gamma, a.d_beta, a.d_y, a.x, a.y, a.mean, a.variance, a.gamma,
                                               1e-3, Activation::relu, 0, true);
        }
        count_bytes(state, 7 * a.x.bytes());
      });
    }
  }
}

void add_pools() {
  for (const Shape& shape : {Shape{64, 28, 28, 32}, Shape{64, 14, 14, 64}, Shape{64, 24, 24, 64}}) {
    const auto geometry = PoolGeometry::square(2, 2);
    add("max_pool/" + shape.to_string(), [=](benchmark::State& state) {
      Floats x(shape), y(pool_output_shape(shape, geometry));
      std::vector<std::int32_t> index(static_cast<std::size_t>(pool_output_shape(shape, geometry).size()));
      const View index_view{index.data(), pool_output_shape(shape, geometry), DType::i32};
      for (auto _ : state) cpu_device().backend().max_pool(y, index_view, x, geometry);
      count_bytes(state, x.bytes() + 2 * y.bytes());
    });
    add("pool_scatter/" + shape.to_string(), [=](benchmark::State& state) {
      Floats x(shape), y(pool_output_shape(shape, geometry));
      std::vector<std::int32_t> index(static_cast<std::size_t>(pool_output_shape(shape, geometry).size()));
      const View index_view{index.data(), pool_output_shape(shape, geometry), DType::i32};
      cpu_device().backend().max_pool(y, index_view, x, geometry);
      for (auto _ : state) cpu_device().backend().pool_scatter(x, y, index_view);
      count_bytes(state, x.bytes() + 2 * y.bytes());
    });
    add("avg_pool/" + shape.to_string(), [=](benchmark::State& state) {
      Floats x(shape), y(pool_output_shape(shape, geometry));
      for (auto _ : state) cpu_device().backend().avg_pool(y, x, geometry);
      count_bytes(state, x.bytes() + y.bytes());
    });
  }
  for (const auto& [size, a, b] : std::vector<std::array<std::int64_t, 3>>{{7, 32, 32}, {14, 16, 16}}) {
    const Shape low_shape{64, size, size, a}, skip_shape{64, 2 * size, 2 * size, b},
        shape{64, 2 * size, 2 * size, a + b};
    add("upsample_concat/" + shape.to_string(), [=](benchmark::State& state) {
      Floats low(low_shape), skip(skip_shape), y(shape);
      for (auto _ : state) cpu_device().backend().upsample_concat(y, low, skip);
      count_bytes(state, low.bytes() + skip.bytes() + y.bytes());
    });
    add("upsample_concat_backward/" + shape.to_string(), [=](benchmark::State& state) {
      Floats low(low_shape), skip(skip_shape), y(shape);
      for (auto _ : state) cpu_device().backend().upsample_concat_backward(low, skip, y);
      count_bytes(state, low.bytes() + skip.bytes() + y.bytes());
    });
  }
  add("resize_bilinear/[16, 32, 32, 64]", [](benchmark::State& state) {
    Floats x({16, 32, 32, 64}), y({16, 64, 64, 64});
    for (auto _ : state) cpu_device().backend().resize(y, x, ResizeMode::bilinear);
    count_bytes(state, x.bytes() + y.bytes());
  });
  add("power_iteration/1024x9216", [](benchmark::State& state) {
    Floats u({1024}), v({9216}), weight({1024, 9216});
    for (auto _ : state) cpu_device().backend().power_iteration(u, v, weight, 1, 1e-12);
    count_bytes(state, 2 * weight.bytes());
  });
}

const bool registered = [] {
  add_convolutions();
  add_products();
  add_norms();
  add_pools();
  return true;
}();

}  // namespace
}  // namespace counterfoil::bench
