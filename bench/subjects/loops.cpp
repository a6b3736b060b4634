#include <cmath>

#include "bench/subjects/subject.h"

// Loops over activations, by the bytes that must be read and written; loops/copy is the yardstick.

namespace counterfoil::bench {
namespace {

constexpr RandomKey kKey{1, 2};

/// Activations [images, side, side, 16].
struct Setup {
  Shape shape;
  Array a, b, c, out, per_channel, per_plane, per_image, scalar;

  Setup(Device& device, const Shape& x)
      : shape(x),
        a(Array::normal(device, x)),
        b(Array::normal(device, x)),
        c(Array::normal(device, x)),
        out(device, x),
        per_channel(device, {1, 1, 1, x[3]}),
        per_plane(device, {x[0], 1, 1, x[3]}),
        per_image(device, {x[0], 1, 1, 1}),
        scalar(device, {1, 1, 1, 1}) {}
};

/// d_x = d_y where it has the sign of a - b, else 0.
const std::vector<ChainStep>& five_steps() {
  static const std::vector<ChainStep> steps{{BinaryOp::subtract, 1},
                                            {UnaryOp::sign},
                                            {BinaryOp::multiply, 2},
                                            {UnaryOp::inside, 0, HUGE_VAL},
                                            {BinaryOp::multiply, 2}};
  return steps;
}

struct Loop {
  const char* name;
  std::function<void(Backend&, const Setup&)> run;
};

const std::vector<Loop>& loops() {
  static const std::vector<Loop> list{
      {"copy", [](Backend& b, const Setup& s) { b.convert(s.out, s.a, 1); }},
      {"fill", [](Backend& b, const Setup& s) { b.fill(s.out, 3); }},
      {"relu", [](Backend& b, const Setup& s) { b.unary(UnaryOp::relu, s.out, s.a, 0, 0); }},
      {"exp", [](Backend& b, const Setup& s) { b.unary(UnaryOp::exp, s.out, s.a, 0, 0); }},
      {"log", [](Backend& b, const Setup& s) { b.unary(UnaryOp::log, s.out, s.a, 0, 0); }},
      {"tanh", [](Backend& b, const Setup& s) { b.unary(UnaryOp::tanh, s.out, s.a, 0, 0); }},
      {"sigmoid", [](Backend& b, const Setup& s) { b.unary(UnaryOp::sigmoid, s.out, s.a, 0, 0); }},
      {"softplus", [](Backend& b, const Setup& s) { b.unary(UnaryOp::softplus, s.out, s.a, 0, 0); }},
      {"sin", [](Backend& b, const Setup& s) { b.unary(UnaryOp::sin, s.out, s.a, 0, 0); }},
      {"pow_1.7", [](Backend& b, const Setup& s) { b.unary(UnaryOp::pow, s.out, s.a, 1.7, 0); }},
      {"tanh_backward", [](Backend& b, const Setup& s) { b.unary_backward(UnaryOp::tanh, s.out, s.a, s.b, 0, 0); }},
      {"leaky_relu_backward",
       [](Backend& b, const Setup& s) { b.unary_backward(UnaryOp::leaky_relu, s.out, s.a, s.b, 0.2, 0); }},
      {"activation_backward_relu",
       [](Backend& b, const Setup& s) { b.activation_backward(Activation::relu, s.out, s.a, s.b, 0); }},
      {"add", [](Backend& b, const Setup& s) { b.binary(BinaryOp::add, s.out, s.a, s.b); }},
      {"add_scalar", [](Backend& b, const Setup& s) { b.binary(BinaryOp::add, s.out, s.a, s.scalar); }},
      {"multiply_per_channel",
       [](Backend& b, const Setup& s) { b.binary(BinaryOp::multiply, s.out, s.a, s.per_channel); }},
      {"multiply_per_plane", [](Backend& b, const Setup& s) { b.binary(BinaryOp::multiply, s.out, s.a, s.per_plane); }},
      {"multiply_per_image", [](Backend& b, const Setup& s) { b.binary(BinaryOp::multiply, s.out, s.a, s.per_image); }},
      {"broadcast_planes", [](Backend& b, const Setup& s) { b.broadcast(s.out, s.per_plane); }},
      {"axpby", [](Backend& b, const Setup& s) { b.axpby(s.out, 2, s.a, 3, s.b); }},
      {"select", [](Backend& b, const Setup& s) { b.select(s.out, s.a, s.b, s.c); }},
      {"chain_of_five",
       [](Backend& b, const Setup& s) {
         b.pointwise_chain(s.out, std::vector<ConstView>{s.a, s.b, s.c}, five_steps());
       }},
      {"chain_of_five_apart",
       [](Backend& b, const Setup& s) {
         b.binary(BinaryOp::subtract, s.out, s.a, s.b);
         b.unary(UnaryOp::sign, s.out, s.out, 0, 0);
         b.binary(BinaryOp::multiply, s.out, s.out, s.c);
         b.unary(UnaryOp::inside, s.out, s.out, 0, HUGE_VAL);
         b.binary(BinaryOp::multiply, s.out, s.out, s.c);
       }},
      {"sum", [](Backend& b, const Setup& s) { b.reduce(ReduceOp::sum, s.scalar, s.a); }},
      {"max", [](Backend& b, const Setup& s) { b.reduce(ReduceOp::max, s.scalar, s.a); }},
      {"sum_per_channel", [](Backend& b, const Setup& s) { b.reduce(ReduceOp::sum, s.per_channel, s.a); }},
      {"sum_per_plane", [](Backend& b, const Setup& s) { b.reduce(ReduceOp::sum, s.per_plane, s.a); }},
      {"sum_squares_per_image", [](Backend& b, const Setup& s) { b.reduce(ReduceOp::sum_squares, s.per_image, s.a); }},
      {"all_finite", [](Backend& b, const Setup& s) { b.all_finite(s.scalar, s.a); }},
      {"loss_l2", [](Backend& b, const Setup& s) { b.loss(LossOp::l2, s.scalar, s.a, s.b, 1); }},
      {"loss_bce", [](Backend& b, const Setup& s) { b.loss(LossOp::bce_with_logits, s.scalar, s.a, s.b, 1); }},
      {"loss_l1_backward",
       [](Backend& b, const Setup& s) { b.loss_backward(LossOp::l1, s.out, s.a, s.b, s.scalar, 1); }},
      {"random_uniform", [](Backend& b, const Setup& s) { b.random_uniform(s.out, kKey, 0, 0, 1); }},
      {"random_normal", [](Backend& b, const Setup& s) { b.random_normal(s.out, kKey, 0, 0, 1); }},
      {"dropout", [](Backend& b, const Setup& s) { b.dropout(s.out, s.a, kKey, 0, 0.2, false); }},
      {"dropout2d", [](Backend& b, const Setup& s) { b.dropout(s.out, s.a, kKey, 0, 0.2, true); }},
      {"adam",
       [](Backend& b, const Setup& s) {
         const ConstView gradient = s.a;
         const View moments[] = {s.b, s.c};
         b.adam({&s.out.view(), 1}, {&gradient, 1}, {&moments[0], 1}, {&moments[1], 1}, {});
       }},
      {"sgd_momentum",
       [](Backend& b, const Setup& s) {
         const ConstView gradient = s.a;
         b.sgd({&s.out.view(), 1}, {&gradient, 1}, {&s.b.view(), 1}, {.momentum = 0.9});
       }},
      {"rmsprop",
       [](Backend& b, const Setup& s) {
         const ConstView gradient = s.a;
         b.rmsprop({&s.out.view(), 1}, {&gradient, 1}, {&s.c.view(), 1}, {});
       }},
      {"permute_nhwc_to_nchw",
       [](Backend& b, const Setup& s) {
         const Shape& x = s.shape;
         b.permute(s.out.as({x[0], x[3], x[1], x[2]}), s.a, std::vector<int>{0, 3, 1, 2});
       }},
      {"concat_channels",
       [](Backend& b, const Setup& s) {
         const Shape half = s.shape.with(3, 8);
         const std::vector<ConstView> parts{s.a.as(half), s.b.as(half)};
         b.concat(s.out, parts, 3);
       }},
      {"slice_channels",
       [](Backend& b, const Setup& s) {
         b.slice(s.out.as(s.shape.with(3, 8)), s.a, std::vector<std::int64_t>{0, 0, 0, 4});
       }},
      {"pad_border",
       [](Backend& b, const Setup& s) {
         const Shape inner{s.shape[0], s.shape[1] - 2, s.shape[2] - 2, s.shape[3]};
         b.pad(s.out, s.a.as(inner), std::vector<std::int64_t>{0, 1, 1, 0});
       }},
      {"scale_to_bf16",
       [](Backend& b, const Setup& s) {
         b.convert({s.out.view().data, s.shape, DType::bf16}, s.a, 0.5);
       }},
      {"image_to_f32",
       [](Backend& b, const Setup& s) {
         b.convert(s.out, {s.a.view().data, s.shape, DType::u8}, 1.0 / 255);
       }},
      // Nothing is aligned to 16 bytes: kernels for one float at a time.
      {"fill_unaligned",
       [](Backend& b, const Setup& s) {
         b.fill({s.out.view().as<float>() + 1, {s.shape.size() - 1}, DType::f32}, 3);
       }},
      {"relu_unaligned",
       [](Backend& b, const Setup& s) {
         const Shape shape{s.shape.size() - 1};
         b.unary(UnaryOp::relu, {s.out.view().as<float>() + 1, shape, DType::f32},
                 {s.a.view().as<float>() + 1, shape, DType::f32}, 0, 0);
       }},
  };
  return list;
}

}  // namespace

std::vector<Subject> loop_subjects(const Sizes& sizes) {
  std::vector<Subject> subjects;
  for (const std::int64_t side : sizes.sides) {
    for (const Loop& loop : loops()) {
      const auto prepare = [&loop, shape = Shape{sizes.images, side, side, 16}](Device& device) -> Run {
        return [&loop, setup = Setup(device, shape)](Backend& backend) { loop.run(backend, setup); };
      };
      subjects.push_back({std::string("loops/") + loop.name + "/" + std::to_string(side), prepare});
    }
  }
  return subjects;
}

}  // namespace counterfoil::bench
