#include <cmath>

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "nn/batch_norm.h"
#include "nn/conditional_batch_norm.h"
#include "nn/conv2d.h"
#include "nn/conv_transpose2d.h"
#include "nn/dropout.h"
#include "nn/embedding.h"
#include "nn/instance_norm.h"
#include "nn/linear.h"
#include "nn/models/ordinal_projection.h"
#include "nn/residual.h"
#include "tests/nn/finite_differences.h"
#include "tests/nn/golden.h"

// First and second derivatives of every layer, to its input and its parameters, against central differences in f64.

namespace counterfoil::nn {
namespace {

constexpr Pass kTraining{.training = true, .update_statistics = false};
constexpr Pass kStill{.training = false};

/// A scalar that is curved in y, so that a second derivative also meets what is linear in the first.
Variable curved(const Variable& y) {
  Random random(11, "layer derivatives");
  return sum(y * (affine(y, 0.5, 0) + Variable(random.uniform(y.shape(), -1, 1, y.device(), y.dtype()))));
}

/// A function scaled to be of order 1 where it stands, so that its differences do not drown in rounding.
std::function<Variable()> of_order_one(const std::function<Variable()>& function) {
  const double scale = 1 / (1 + std::abs(function().item()));
  return [function, scale] { return function() * scale; };
}

void expect_derivatives(const std::function<Variable()>& layer, const Variables& leaves) {
  const auto value = [&] { return reshape(curved(layer()), {1}); };
  expect_gradient(of_order_one(value), leaves, 1e-7);
  const auto of_gradient = [&] {
    Variable total;
    for (const Variable& d : grad({value()}, leaves, {.create_graph = true})) {
      const Variable term = reshape(curved(d), {1});
      total = total.defined() ? total + term : term;
    }
    return total;
  };
  expect_gradient(of_order_one(of_gradient), leaves, 1e-7);
}

Variable input(TestInit& init, const Shape& shape) {
  return Variable::leaf(init.random.normal(shape, 0.3, 1, reference_device(), DType::f64));
}

/// Of a layer as it is after its parameters moved at random, to x and every parameter.
void expect_layer(const std::string& name, TestInit& init, Module& layer, const Shape& shape,
                  const std::function<Variable(const Variable&)>& forward) {
  SCOPED_TRACE(name);
  jitter(layer, init.random);
  const Variable x = input(init, shape);
  Variables leaves = layer.parameters();
  leaves.push_back(x);
  expect_derivatives([&] { return forward(x); }, leaves);
}

TEST(LayerDerivatives, Linear) {
  for (const bool spectral : {false, true}) {
    for (const Activation activation : {Activation::identity, Activation::leaky_relu, Activation::tanh}) {
      TestInit init;
      Linear layer(init, 3, 4, {.spectral_norm = spectral, .activation = activation, .slope = 0.2});
      expect_layer("linear", init, layer, {5, 3}, [&](const Variable& x) { return layer.forward(x, kTraining); });
    }
  }
}

struct Convolution {
  const char* name;
  Shape x;
  std::int64_t out;
  Kernel kernel;
  Conv2dGeometry geometry;
};

const Convolution kConvolutions[] = {
    {"one channel, one image", {1, 5, 4, 1}, 2, 3, Conv2dGeometry::square(1, 1)},
    {"a stride that does not divide", {2, 7, 6, 2}, 3, 3, Conv2dGeometry::square(2, 0)},
    {"4x4 with stride 2", {2, 6, 6, 2}, 2, 4, Conv2dGeometry::square(2, 1)},
    {"dilated", {1, 7, 6, 2}, 2, 3, Conv2dGeometry::square(1, 1, 2)},
    {"groups", {2, 4, 5, 4}, 2, {3, 2}, Conv2dGeometry::square(1, 1, 1, 2)},
    {"depthwise", {1, 5, 5, 3}, 3, 3, Conv2dGeometry::square(2, 1, 1, 3)},
};

TEST(LayerDerivatives, Conv2d) {
  for (const Convolution& c : kConvolutions) {
    for (const bool spectral : {false, true}) {
      TestInit init;
      Conv2d layer(
          init, c.x[3], c.out, c.kernel,
          {.geometry = c.geometry, .spectral_norm = spectral, .activation = Activation::leaky_relu, .slope = 0.2});
      expect_layer(c.name, init, layer, c.x, [&](const Variable& x) { return layer.forward(x, kTraining); });
    }
  }
}

TEST(LayerDerivatives, ConvTranspose2d) {
  for (const Convolution& c : kConvolutions) {
    for (const bool spectral : {false, true}) {
      TestInit init;
      const std::int64_t out = c.geometry.groups > 1 ? c.x[3] : c.out;
      ConvTranspose2d layer(init, c.x[3], out, c.kernel,
                            {.geometry = c.geometry,
                             .output_padding_h = c.geometry.stride_h - 1,
                             .spectral_norm = spectral,
                             .activation = Activation::tanh});
      expect_layer(c.name, init, layer, {c.x[0], 3, 2, c.x[3]},
                   [&](const Variable& x) { return layer.forward(x, kTraining); });
    }
  }
}

TEST(LayerDerivatives, Norms) {
  const Tensor labels = labels_of({1, 0, 1});
  for (const Activation activation : {Activation::identity, Activation::relu}) {
    const BatchNormOptions options{.epsilon = 1e-3, .activation = activation};
    for (const Pass& pass : {kTraining, kStill}) {
      for (const Shape& shape : {Shape{3, 3, 2, 2}, Shape{3, 4, 1, 1}}) {
        TestInit init;
        BatchNorm batch(init, shape[3], options);
        expect_layer("batch norm", init, batch, shape, [&](const Variable& x) { return batch.forward(x, pass); });
        ConditionalBatchNorm conditional(init, shape[3], 2, options);
        expect_layer("conditional batch norm", init, conditional, shape,
                     [&](const Variable& x) { return conditional.forward(x, labels, pass); });
      }
      TestInit init;
      BatchNorm rows(init, 3, options);
      expect_layer("batch norm of rows", init, rows, {5, 3}, [&](const Variable& x) { return rows.forward(x, pass); });
    }
    TestInit init;
    InstanceNorm instance(init, 2, {.epsilon = 1e-3, .activation = activation});
    expect_layer("instance norm", init, instance, {2, 3, 3, 2},
                 [&](const Variable& x) { return instance.forward(x, kTraining); });
  }
}

TEST(LayerDerivatives, EmbeddingAndOrdinalProjection) {
  for (const bool spectral : {false, true}) {
    TestInit init;
    Embedding embedding(init, 4, 3, {.spectral_norm = spectral});
    jitter(embedding, init.random);
    expect_derivatives([&] { return embedding.forward(labels_of({3, 0, 3}), kTraining); }, embedding.parameters());
    for (const bool shared : {false, true}) {
      OrdinalProjection projection(init, 3, {.bins = 4, .shared = shared, .spectral_norm = spectral});
      expect_layer("ordinal projection", init, projection, {3, 2, 3, 3}, [&](const Variable& x) {
        return projection.forward(x, labels_of({0, 3, 1}), kTraining);
      });
    }
  }
}

TEST(LayerDerivatives, Blocks) {
  for (const Resize resize : {Resize::none, Resize::up, Resize::down}) {
    TestInit init;
    ResidualBlock block(init, 2, 3, {.resize = resize, .classes = 2});
    expect_layer("residual block", init, block, {2, 4, 3, 2}, [&](const Variable& x) {
      return block.forward(x, labels_of({1, 0}), kTraining);
    });
  }
  for (const bool downsample : {false, true}) {
    TestInit init;
    CriticBlock block(init, 2, 3, {.downsample = downsample});
    expect_layer("critic block", init, block, {2, 5, 4, 2},
                 [&](const Variable& x) { return block.forward(x, kTraining); });
  }
}

TEST(LayerDerivatives, Dropout) {
  TestInit init;
  const Variable x = input(init, {2, 3, 4, 3});
  const auto dropped = [&](const auto& drop) {
    return [&x, drop] {
      Random random(5, "dropout");  // the same numbers each time
      return drop(x, 0.4, Pass::train(random));
    };
  };
  expect_derivatives(dropped([](const Variable& v, double p, const Pass& pass) { return dropout(v, p, pass); }), {x});
  expect_derivatives(dropped([](const Variable& v, double p, const Pass& pass) { return dropout2d(v, p, pass); }), {x});
}

TEST(LayerDerivatives, WithoutParameters) {
  const std::pair<const char*, std::function<Variable(const Variable&)>> layers[] = {
      {"max pool", [](const Variable& x) { return max_pool(x, PoolGeometry::square(2, 2)); }},
      {"overlapping max pool", [](const Variable& x) { return max_pool(x, PoolGeometry::square(3, 2, 1)); }},
      {"average pool", [](const Variable& x) { return avg_pool(x, PoolGeometry::square(3, 2, 1)); }},
      {"global average pool", [](const Variable& x) { return global_avg_pool(x); }},
      {"global sum pool", [](const Variable& x) { return global_sum_pool(x); }},
      {"nearest upsampling", [](const Variable& x) { return upsample2x(x); }},
      {"bilinear upsampling", [](const Variable& x) { return resize(x, 9, 7, ResizeMode::bilinear); }},
      {"concat",
       [](const Variable& x) {
         return concat({x, tanh(x)}, 3);
       }},
      {"pad",
       [](const Variable& x) {
         return pad(x, {2, 8, 6, 2}, std::vector<std::int64_t>{0, 1, 2, 0});
       }},
      {"slice", [](const Variable& x) { return slice(x, 1, 1, 4); }},
      {"relu", [](const Variable& x) { return relu(x); }},
      {"leaky relu", [](const Variable& x) { return leaky_relu(x, 0.2); }},
      {"tanh", [](const Variable& x) { return tanh(x); }},
      {"sigmoid", [](const Variable& x) { return sigmoid(x); }},
      {"softplus", [](const Variable& x) { return softplus(x); }},
      {"clip", [](const Variable& x) { return clip(x, -0.5, 0.5); }},
      {"softmax", [](const Variable& x) { return softmax(flatten(x)); }},
      {"log softmax", [](const Variable& x) { return log_softmax(flatten(x)); }},
  };
  for (const auto& [name, layer] : layers) {
    SCOPED_TRACE(name);
    TestInit init;
    const Variable x = input(init, {2, 5, 4, 2});
    expect_derivatives([&, &apply = layer] { return apply(x); }, {x});
  }
}

}  // namespace
}  // namespace counterfoil::nn
