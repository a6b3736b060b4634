#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "bench/subjects/subject.h"

// The primitives of networks on the shapes of the digits training steps (batch 64) and a few beyond.

namespace counterfoil::bench {
namespace {

using Subjects = std::vector<Subject>;

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

Run convolution(Device& device, const Convolution& shape, Compute compute, const std::string& direction) {
  Conv2dGeometry geometry = Conv2dGeometry::square(shape.stride, shape.padding, 1, shape.groups);
  geometry.compute = compute;
  const std::int64_t p = geometry.output_height(shape.size, shape.kernel);
  const auto x = Array::normal(device, {shape.n, shape.size, shape.size, shape.c});
  const auto weight = Array::normal(device, {shape.k, shape.kernel, shape.kernel, shape.c / shape.groups});
  const auto y = Array::normal(device, {shape.n, p, p, shape.k}), bias = Array::normal(device, {shape.k});
  if (direction == "forward") {
    return [=](Backend& b) { b.conv2d(y, x, weight, bias, geometry, Activation::identity, 0); };
  }
  if (direction == "input_grad") return [=](Backend& b) { b.conv2d_input_grad(x, y, weight, geometry); };
  return [=](Backend& b) { b.conv2d_weight_grad(weight, x, y, geometry); };
}

void add_convolutions(Subjects& subjects, const Sizes& sizes) {
  for (Convolution shape : kConvolutions) {
    shape.n = std::min(shape.n, sizes.images);
    const std::int64_t taps = shape.kernel * shape.kernel * shape.c / shape.groups;
    if (shape.n * shape.size * shape.size * shape.k * taps / (shape.stride * shape.stride) > sizes.most) continue;
    const std::string suffix =
        fmt::format("{}x{}x{}x{}->{}/k{}s{}p{}{}", shape.n, shape.size, shape.size, shape.c, shape.k, shape.kernel,
                    shape.stride, shape.padding, shape.groups > 1 ? fmt::format("g{}", shape.groups) : "");
    for (const Compute compute : {Compute::f32, Compute::bf16}) {
      const bool bf16 = compute == Compute::bf16;
      for (const std::string direction : {"forward", "input_grad", "weight_grad"}) {
        subjects.push_back({fmt::format("conv2d_{}{}/{}", direction, bf16 ? "_bf16" : "", suffix),
                            [=](Device& device) { return convolution(device, shape, compute, direction); }, true,
                            bf16});
      }
    }
  }
}

struct Product {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
};

void add_products(Subjects& subjects, const Sizes& sizes) {
  for (const Product& shape :
       {Product{64, 128, 9216, false, true}, Product{64, 9216, 128, false, false}, Product{128, 9216, 64, true, false},
        Product{64, 1, 1536, false, true}, Product{1, 1536, 64, true, false}, Product{16, 512, 512, false, false},
        Product{512, 512, 512, false, false}, Product{1000, 100, 100, false, true}, Product{1, 4096, 4096, false, true},
        Product{64, 64, 1024, false, false}, Product{4096, 32, 4096, false, false},
        Product{4096, 4096, 4096, false, false}}) {
    if (shape.m * shape.n * shape.k > sizes.most) continue;
    for (const Compute compute : {Compute::f32, Compute::bf16}) {
      const bool bf16 = compute == Compute::bf16;
      subjects.push_back(
          {fmt::format("matmul{}/{}x{}x{}{}{}", bf16 ? "_bf16" : "", shape.m, shape.n, shape.k,
                       shape.transpose_a ? "/ta" : "", shape.transpose_b ? "/tb" : ""),
           [=](Device& device) -> Run {
             const auto a =
                 Array::normal(device, shape.transpose_a ? Shape{shape.k, shape.m} : Shape{shape.m, shape.k});
             const auto b =
                 Array::normal(device, shape.transpose_b ? Shape{shape.n, shape.k} : Shape{shape.k, shape.n});
             const Array y(device, {shape.m, shape.n}), bias(device, {shape.n});
             return [=](Backend& backend) {
               backend.matmul(y, a, b, shape.transpose_a, shape.transpose_b, bias, Activation::identity, 0, compute);
             };
           },
           true, bf16});
    }
  }
  for (const auto& [rows, columns] : {std::array{128, 128}, std::array{1024, sizes.few ? 64 : 9216}}) {
    const std::int64_t m = rows, n = columns;
    subjects.push_back({fmt::format("power_iteration/{}x{}", m, n), [=](Device& device) -> Run {
                          return [u = Array::normal(device, {m}), v = Array(device, {n}),
                                  weight = Array::normal(device, {m, n})](Backend& b) {
                            b.power_iteration(u, v, weight, 1, 1e-12);
                          };
                        }});
  }
}

struct Norm {
  Array x, y, d_x, d_y, mean, variance, gamma, beta, d_gamma, d_beta;

  Norm(Device& device, const Shape& shape, std::int64_t groups)
      : x(Array::normal(device, shape)),
        y(Array::normal(device, shape)),
        d_x(device, shape),
        d_y(Array::normal(device, shape)),
        mean(device, {groups, shape[3]}),
        variance(device, {groups, shape[3]}),
        gamma(Array::normal(device, {1, shape[3]})),
        beta(Array::normal(device, {1, shape[3]})),
        d_gamma(device, {1, shape[3]}),
        d_beta(device, {1, shape[3]}) {
    device.backend().norm_statistics(mean, variance, x);
  }
};

void add_norms(Subjects& subjects, const Sizes& sizes) {
  for (Shape shape : {Shape{64, 28, 28, 1}, Shape{64, 28, 28, 16}, Shape{64, 14, 14, 32}, Shape{64, 7, 7, 64},
                      Shape{64, 28, 28, 64}, Shape{16, 64, 64, 128}}) {
    if (sizes.few && shape.size() / shape[0] > 28 * 28 * 16) continue;
    shape = shape.with(0, std::min(shape[0], sizes.images));
    for (const std::int64_t groups : {std::int64_t{1}, shape[0]}) {
      const auto add = [&](const char* name, const std::function<void(Backend&, const Norm&)>& run) {
        subjects.push_back({fmt::format("{}/{}{}", name, groups == 1 ? "batch" : "instance", shape.to_string()),
                            [=](Device& device) -> Run {
                              return [run, norm = Norm(device, shape, groups)](Backend& b) { run(b, norm); };
                            }});
      };
      add("norm_statistics", [](Backend& b, const Norm& a) { b.norm_statistics(a.mean, a.variance, a.x); });
      add("norm_apply_relu", [](Backend& b, const Norm& a) {
        b.norm_apply(a.y, a.x, a.mean, a.variance, a.gamma, a.beta, 1e-3, Activation::relu, 0);
      });
      add("norm_backward_relu", [](Backend& b, const Norm& a) {
        b.norm_backward(a.d_x, a.d_gamma, a.d_beta, a.d_y, a.x, a.y, a.mean, a.variance, a.gamma, 1e-3,
                        Activation::relu, 0, true);
      });
    }
  }
}

struct Pool {
  PoolGeometry geometry = PoolGeometry::square(2, 2);
  Array x, y, index;

  Pool(Device& device, const Shape& shape)
      : x(Array::normal(device, shape)),
        y(device, pool_output_shape(shape, geometry)),
        index(device, pool_output_shape(shape, geometry), DType::i32) {
    device.backend().max_pool(y, index, x, geometry);
  }
};

void add_pools(Subjects& subjects, const Sizes& sizes) {
  for (Shape shape : {Shape{64, 28, 28, 32}, Shape{64, 14, 14, 64}, Shape{64, 24, 24, 64}}) {
    shape = shape.with(0, std::min(shape[0], sizes.images));
    const auto add = [&](const char* name, const std::function<void(Backend&, const Pool&)>& run) {
      subjects.push_back({fmt::format("{}/{}", name, shape.to_string()), [=](Device& device) -> Run {
                            return [run, pool = Pool(device, shape)](Backend& b) { run(b, pool); };
                          }});
    };
    add("max_pool", [](Backend& b, const Pool& p) { b.max_pool(p.y, p.index, p.x, p.geometry); });
    add("pool_scatter", [](Backend& b, const Pool& p) { b.pool_scatter(p.x, p.y, p.index); });
    add("pool_gather", [](Backend& b, const Pool& p) { b.pool_gather(p.y, p.x, p.index); });
    add("avg_pool", [](Backend& b, const Pool& p) { b.avg_pool(p.y, p.x, p.geometry); });
    add("avg_pool_backward", [](Backend& b, const Pool& p) { b.avg_pool_backward(p.x, p.y, p.geometry); });
  }
}

struct Upsampling {
  Array low, skip, y;

  Upsampling(Device& device, const Shape& low_shape, std::int64_t channels)
      : low(Array::normal(device, low_shape)),
        skip(Array::normal(device, {low_shape[0], 2 * low_shape[1], 2 * low_shape[2], channels})),
        y(device, {low_shape[0], 2 * low_shape[1], 2 * low_shape[2], low_shape[3] + channels}) {}
};

void add_upsampling(Subjects& subjects, const Sizes& sizes) {
  for (const auto& [size, below, beside] : std::vector<std::array<std::int64_t, 3>>{{7, 32, 32}, {14, 16, 16}}) {
    const Shape low{sizes.images, size, size, below};
    const std::int64_t channels = beside;
    const auto add = [&](const char* name, const std::function<void(Backend&, const Upsampling&)>& run) {
      subjects.push_back({fmt::format("{}/[{}, {}, {}, {}]", name, low[0], 2 * low[1], 2 * low[2], low[3] + channels),
                          [=](Device& device) -> Run {
                            return [run, arrays = Upsampling(device, low, channels)](Backend& backend) {
                              run(backend, arrays);
                            };
                          }});
    };
    add("upsample_concat", [](Backend& b, const Upsampling& u) { b.upsample_concat(u.y, u.low, u.skip); });
    add("upsample_concat_backward",
        [](Backend& b, const Upsampling& u) { b.upsample_concat_backward(u.low, u.skip, u.y); });
  }
  const std::int64_t images = std::min<std::int64_t>(16, sizes.images), side = sizes.either(32, 7);
  for (const ResizeMode mode : {ResizeMode::nearest, ResizeMode::bilinear}) {
    const auto add = [&](const char* name, const std::function<void(Backend&, const Array&, const Array&)>& run) {
      subjects.push_back({fmt::format("{}_{}/[{}, {}, {}, 64]", name,
                                      mode == ResizeMode::nearest ? "nearest" : "bilinear", images, side, side),
                          [=](Device& device) -> Run {
                            const auto x = Array::normal(device, {images, side, side, 64});
                            const auto y = Array::normal(device, {images, 2 * side, 2 * side, 64});
                            return [=](Backend& b) { run(b, x, y); };
                          }});
    };
    add("resize", [mode](Backend& b, const Array& x, const Array& y) { b.resize(y, x, mode); });
    add("resize_backward", [mode](Backend& b, const Array& x, const Array& y) { b.resize_backward(x, y, mode); });
  }
}

}  // namespace

std::vector<Subject> network_subjects(const Sizes& sizes) {
  Subjects subjects;
  add_convolutions(subjects, sizes);
  add_products(subjects, sizes);
  add_norms(subjects, sizes);
  add_pools(subjects, sizes);
  add_upsampling(subjects, sizes);
  return subjects;
}

}  // namespace counterfoil::bench
