#include <bit>
#include <map>
#include <string>

#include "tests/kernels/reference.h"

// The reference backend promises the same bits on any IEEE machine. One number per family and dtype stands for the
// outputs of all its primitives; the numbers were computed once and hold everywhere. A deliberate change of a formula
// or of an order of summation changes them.

namespace counterfoil::test {
namespace {

/// FNV-1a over the little-endian bytes of elements. NaN counts as one value: its sign and payload are the machine's.
class Digest {
 public:
  template <typename T>
  void add(const Array<T>& array) {
    for (const T value : array.data) {
      if constexpr (sizeof(T) == 8) {
        add_bytes(value != value ? 0x7ff8000000000000u : std::bit_cast<std::uint64_t>(value), 8);
      } else {
        add_bytes(value != value ? 0x7fc00000u : std::bit_cast<std::uint32_t>(value), 4);
      }
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  void add_bytes(std::uint64_t bits, int count) {
    for (int i = 0; i < count; ++i) value_ = (value_ ^ (bits >> (8 * i) & 0xff)) * 0x100000001b3ull;
  }
  std::uint64_t value_ = 0xcbf29ce484222325ull;
};

constexpr RandomKey kKey = {.seed = 2024, .stream = 1};

/// Runs the primitives of every family on one dtype.
template <typename T>
class Survey {
 public:
  std::map<std::string, std::uint64_t> digests() {
    moving();
    pointwise();
    reductions();
    losses();
    convolutions();
    pooling();
    normalisation();
    random();
    optimisers();
    images();
    std::map<std::string, std::uint64_t> values;
    for (const auto& [family, digest] : digests_) values[family] = digest.value();
    return values;
  }

 private:
  using Values = Array<T>;

  static Values input(const Shape& shape, std::uint64_t stream, double low = -2, double high = 2) {
    Values array(shape);
    reference().random_uniform(array, {.seed = 1, .stream = stream}, 0, low, high);
    return array;
  }

  /// A new array, written by f, into the digest of a family.
  Values output(const char* family, const Shape& shape, const std::function<void(View)>& f) {
    Values array(shape);
    f(array);
    digests_[family].add(array);
    return array;
  }
  Indices indices(const char* family, const Shape& shape, const std::function<void(View)>& f) {
    Indices array(shape);
    f(array);
    digests_[family].add(array);
    return array;
  }

  void moving() {
    const Values x = input({3, 4, 5}, 1);
    const Indices index({2}, {2, 0});
    const char* family = "moving";
    output(family, {7}, [](View y) { reference().fill(y, 0.1); });
    output(family, {3, 4, 5}, [&](View y) { reference().convert(y, x, 1.0 / 3); });
    indices(family, {3, 4, 5}, [&](View y) { reference().convert(y, x, 1000); });
    output(family, {5, 3, 4}, [&](View y) { reference().permute(y, x, std::vector<int>{2, 0, 1}); });
    output(family, {2, 3, 4, 5}, [&](View y) {
      const ConstView view = x;
      reference().broadcast(y, {view.data, Shape{1, 3, 4, 5}, view.dtype});
    });
    output(family, {1, 2, 3}, [&](View y) { reference().slice(y, x, std::vector<std::int64_t>{1, 2, 0}); });
    output(family, {4, 6, 5}, [&](View y) { reference().pad(y, x, std::vector<std::int64_t>{1, 0, 0}); });
    output(family, {3, 8, 5}, [&](View y) { reference().concat(y, std::vector<ConstView>{x, x}, 1); });
    const Values rows = output(family, {2, 4, 5}, [&](View y) { reference().gather_rows(y, x, index); });
    output(family, {3, 4, 5}, [&](View y) { reference().scatter_add_rows(y, rows, index); });
    output(family, {2, 3}, [&](View y) { reference().one_hot(y, index); });
  }

  void pointwise() {
    const char* family = "pointwise";
    const Values x = input({999}, 2, -8, 8), d_y = input({999}, 3), positive = input({999}, 4, 0.001, 30);
    for (int i = 0; i <= static_cast<int>(UnaryOp::inside); ++i) {
      const auto op = static_cast<UnaryOp>(i);
      const bool of_positive = op == UnaryOp::log || op == UnaryOp::sqrt || op == UnaryOp::pow;
      const Values& at = of_positive ? positive : x;
      output(family, {999}, [&](View y) { reference().unary(op, y, at, 0.3, 2.7); });
      output(family, {999}, [&](View y) { reference().unary_backward(op, y, at, d_y, 0.3, 2.7); });
    }
    for (int i = 0; i <= static_cast<int>(Activation::sigmoid); ++i) {
      output(family, {999},
             [&](View y) { reference().activation_backward(static_cast<Activation>(i), y, x, d_y, 0.2); });
    }
    const Values column = input({9, 1}, 5), row = input({1, 11}, 6);
    for (int i = 0; i <= static_cast<int>(BinaryOp::equal); ++i) {
      output(family, {9, 11}, [&](View y) { reference().binary(static_cast<BinaryOp>(i), y, column, row); });
    }
    output(family, {999}, [&](View y) { reference().select(y, x, d_y, positive); });
    output(family, {999}, [&](View y) { reference().axpby(y, 0.7, x, -1.3, positive); });
  }

  void reductions() {
    const char* family = "reduction";
    const Values x = input({13, 17, 3}, 7, -5, 5), d_y = input({13, 51}, 8);
    const ConstView rows = {x.data.data(), Shape{13, 51}, dtype_of<T>()};
    for (int i = 0; i <= static_cast<int>(ReduceOp::min); ++i) {
      output(family, {13, 1, 3}, [&](View y) { reference().reduce(static_cast<ReduceOp>(i), y, x); });
      output(family, {1, 17, 1}, [&](View y) { reference().reduce(static_cast<ReduceOp>(i), y, x); });
    }
    indices(family, {13}, [&](View y) { reference().argmax(y, rows); });
    for (const bool log : {false, true}) {
      const Values y = output(family, {13, 51}, [&](View out) { reference().softmax(out, rows, log); });
      output(family, {13, 51}, [&](View out) { reference().softmax_backward(out, y, d_y, log); });
    }
    output(family, {1}, [&](View y) { reference().all_finite(y, x); });
    output(family, {13}, [&](View y) { reference().order_statistic(y, rows, 20); });
  }

  void losses() {
    const char* family = "loss";
    const Values a = input({5, 7, 6, 2}, 9, -6, 6), b = input({5, 7, 6, 2}, 10, 0, 1), d_out = input({5, 1, 1, 1}, 11);
    for (int i = 0; i <= static_cast<int>(LossOp::hinge); ++i) {
      const auto op = static_cast<LossOp>(i);
      output(family, {1, 1, 1, 1}, [&](View y) { reference().loss(op, y, a, b, 0.01); });
      output(family, a.shape, [&](View y) { reference().loss_backward(op, y, a, b, d_out, 0.01); });
    }
    const Values logits = input({5, 6}, 12, -6, 6), d_rows = input({5}, 13);
    const Indices labels({5}, {0, 5, 2, 3, 3});
    output(family, {5}, [&](View y) { reference().cross_entropy(y, logits, labels); });
    output(family, {5, 6}, [&](View y) { reference().cross_entropy_backward(y, logits, labels, d_rows); });
    for (const double beta : {1.0, 2.0, 1.7}) {
      output(family, {5}, [&](View y) { reference().total_variation(y, a, beta); });
      output(family, a.shape, [&](View y) { reference().total_variation_backward(y, a, d_rows, beta); });
    }
  }

  void convolutions() {
    const char* family = "convolution";
    const Values a = input({7, 13}, 14), b = input({13, 9}, 15), bias = input({9}, 16);
    for (const Compute compute : {Compute::f32, Compute::bf16}) {
      output(family, {7, 9},
             [&](View y) { reference().matmul(y, a, b, false, false, bias, Activation::tanh, 0, compute); });
      const Conv2dGeometry geometry = {
          .stride_h = 2, .pad_top = 1, .pad_left = 2, .dilation_w = 2, .groups = 2, .compute = compute};
      const Values x = input({2, 7, 8, 4}, 17), weight = input({6, 3, 3, 2}, 18), start = input({6}, 19);
      const Shape shape = conv2d_output_shape(x.shape, weight.shape, geometry);
      const Values y = output(family, shape, [&](View out) {
        reference().conv2d(out, x, weight, start, geometry, Activation::leaky_relu, 0.2);
      });
      output(family, x.shape, [&](View out) { reference().conv2d_input_grad(out, y, weight, geometry); });
      output(family, weight.shape, [&](View out) { reference().conv2d_weight_grad(out, x, y, geometry); });
    }
  }

  void pooling() {
    const char* family = "pooling";
    const Values x = input({2, 7, 6, 3}, 20);
    const PoolGeometry geometry = PoolGeometry::square(3, 2, 1);
    const Shape shape = pool_output_shape(x.shape, geometry);
    Values y(shape);
    const Indices index = indices(family, shape, [&](View out) { reference().max_pool(y, out, x, geometry); });
    output(family, x.shape, [&](View out) { reference().pool_scatter(out, y, index); });
    output(family, shape, [&](View out) { reference().pool_gather(out, x, index); });
    const Values average = output(family, shape, [&](View out) { reference().avg_pool(out, x, geometry); });
    output(family, x.shape, [&](View out) { reference().avg_pool_backward(out, average, geometry); });
    for (const ResizeMode mode : {ResizeMode::nearest, ResizeMode::bilinear}) {
      const Values large = output(family, {2, 11, 17, 3}, [&](View out) { reference().resize(out, x, mode); });
      output(family, x.shape, [&](View out) { reference().resize_backward(out, large, mode); });
    }
    const Values skip = input({2, 14, 12, 2}, 21);
    const Values joined = output(family, {2, 14, 12, 5}, [&](View out) { reference().upsample_concat(out, x, skip); });
    Values d_skip(skip.shape);
    output(family, x.shape, [&](View out) { reference().upsample_concat_backward(out, d_skip, joined); });
    digests_[family].add(y);
    digests_[family].add(d_skip);
  }

  void normalisation() {
    const char* family = "normalisation";
    const Values x = input({4, 5, 3, 6}, 22), d_y = input({4, 5, 3, 6}, 23);
    for (const std::int64_t statistics : {1, 4}) {
      const Shape shape = {statistics, 6}, other = {5 - statistics, 6};
      const Values gamma = input(other, 24), beta = input(other, 25);
      Values variance(shape), d_gamma(other), d_beta(other);
      const Values mean = output(family, shape, [&](View y) { reference().norm_statistics(y, variance, x); });
      const Values y = output(family, x.shape, [&](View out) {
        reference().norm_apply(out, x, mean, variance, gamma, beta, 1e-3, Activation::sigmoid, 0);
      });
      output(family, x.shape, [&](View out) {
        reference().norm_backward(out, d_gamma, d_beta, d_y, x, y, mean, variance, gamma, 1e-3, Activation::sigmoid, 0,
                                  true);
      });
      digests_[family].add(variance);
      digests_[family].add(d_gamma);
      digests_[family].add(d_beta);
    }
    const Values weight = input({7, 9}, 26);
    Values v({9});
    output(family, {7}, [&](View u) {
      reference().fill(u, 0.5);
      reference().power_iteration(u, v, weight, 3, 1e-12);
    });
    digests_[family].add(v);
  }

  void random() {
    const char* family = "random";
    output(family, {1001}, [](View y) { reference().random_uniform(y, kKey, 3, -0.1, 0.7); });
    output(family, {5001}, [](View y) { reference().random_normal(y, kKey, 2, 0.1, 1.7); });
    const Values x = input({3, 4, 4, 5}, 27);
    output(family, x.shape, [&](View y) { reference().dropout(y, x, kKey, 1, 0.3, false); });
    output(family, x.shape, [&](View y) { reference().dropout(y, x, kKey, 1, 0.3, true); });
  }

  void optimisers() {
    const char* family = "optimiser";
    Values p = input({55}, 28), m = input({55}, 29), v = input({55}, 30, 0, 1);
    const Values g = input({55}, 31);
    const std::vector<View> parameters = {p}, first = {m}, second = {v};
    const std::vector<ConstView> gradients = {g};
    reference().adam(parameters, gradients, first, second, {.weight_decay = 0.01, .step = 17});
    reference().sgd(parameters, gradients, first, {.momentum = 0.9, .weight_decay = 0.01, .nesterov = true});
    reference().rmsprop(parameters, gradients, second, {.weight_decay = 0.01});
    for (const Values& array : {p, m, v}) digests_[family].add(array);
  }

  void images() {
    const char* family = "image";
    const Values x = input({2, 6, 7, 3}, 32), down = input({3}, 33), across = input({5}, 34);
    const Values theta = input({2, 2, 3}, 35, -1, 1);
    for (const Border border : {Border::zero, Border::replicate}) {
      output(family, x.shape, [&](View y) { reference().separable_filter(y, x, down, across, border); });
      output(family, x.shape, [&](View y) { reference().separable_filter_backward(y, x, down, across, border); });
    }
    const Values warped = output(family, {2, 8, 5, 3}, [&](View y) { reference().affine_warp(y, x, theta); });
    output(family, x.shape, [&](View y) { reference().affine_warp_backward(y, warped, theta); });
    const Values a = input({5, 8}, 36), b = input({6, 8}, 37);
    Values distance({5});
    output(family, {5, 6}, [&](View y) { reference().pairwise_distance(y, a, b); });
    indices(family, {5}, [&](View y) { reference().nearest_row(distance, y, a, b); });
    digests_[family].add(distance);
    const Values scores = input({2, 9, 9}, 38);
    const Values mask =
        output(family, {2, 9, 9}, [&](View y) { reference().unary(UnaryOp::greater_than, y, scores, 0, 0); });
    indices(family, {2, 9, 9}, [&](View y) { reference().connected_components(y, mask, 8); });
  }

  std::map<std::string, Digest> digests_;
};

using Digests = std::map<std::string, std::uint64_t>;

TEST(ReferenceBits, F64OutputsAreTheSameEverywhere) {
  EXPECT_EQ(Survey<double>().digests(), (Digests{
                                            {"convolution", 884093612304981037u},
                                            {"image", 2419269825600833959u},
                                            {"loss", 12744899834170665259u},
                                            {"moving", 13302708869439571693u},
                                            {"normalisation", 17945179572573929623u},
                                            {"optimiser", 16467527112184031718u},
                                            {"pointwise", 3219684482091256648u},
                                            {"pooling", 3460929645992724164u},
                                            {"random", 3107101595189209258u},
                                            {"reduction", 6561036822481758622u},
                                        }));
}

TEST(ReferenceBits, F32OutputsAreTheSameEverywhere) {
  EXPECT_EQ(Survey<float>().digests(), (Digests{
                                           {"convolution", 10779109132201093381u},
                                           {"image", 14133682932147153432u},
                                           {"loss", 13891620137881361886u},
                                           {"moving", 1180169788335092335u},
                                           {"normalisation", 5368200045366067540u},
                                           {"optimiser", 3768834367397043362u},
                                           {"pointwise", 2189588112947544817u},
                                           {"pooling", 5119626135328506799u},
                                           {"random", 8666081919109015475u},
                                           {"reduction", 12283098720633634301u},
                                       }));
}

}  // namespace
}  // namespace counterfoil::test
