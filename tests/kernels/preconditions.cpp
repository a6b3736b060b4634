#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/device.h"
#include "kernels/error.h"

// Every backend refuses what a primitive cannot do before it touches an array, in one line that begins with the
// primitive's name. The arrays below have shapes, but no elements that could be touched.

namespace counterfoil {
namespace {

View f(std::initializer_list<std::int64_t> extents) {
  return {nullptr, Shape(extents), DType::f32};
}

View i(std::initializer_list<std::int64_t> extents) {
  return {nullptr, Shape(extents), DType::i32};
}

using Call = std::function<void(Backend&)>;

const Conv2dGeometry kSame = Conv2dGeometry::square(1, 1);
const PoolGeometry kHalf = PoolGeometry::square(2, 2);

/// For each primitive calls that are each wrong in one place.
const std::multimap<std::string, Call> kWrong = {
    {"convert", [](Backend& b) { b.convert(f({2}), f({3}), 1); }},
    {"permute",
     [](Backend& b) {
       b.permute(f({2, 3}), f({2, 3}), std::vector<int>{1, 0});
     }},
    {"permute",
     [](Backend& b) {
       b.permute(f({2, 2}), f({2, 2}), std::vector<int>{0, 0});
     }},
    {"broadcast",
     [](Backend& b) {
       b.broadcast(f({3, 2}), f({2, 1}));
     }},
    {"slice", [](Backend& b) { b.slice(f({2}), f({3}), std::vector<std::int64_t>{2}); }},
    {"slice", [](Backend& b) { b.slice(f({2}), f({3}), std::vector<std::int64_t>{-1}); }},
    {"pad", [](Backend& b) { b.pad(f({3}), f({2}), std::vector<std::int64_t>{2}); }},
    {"concat",
     [](Backend& b) {
       b.concat(f({5, 2}), std::vector<ConstView>{f({2, 2}), f({2, 2})}, 0);
     }},
    {"concat", [](Backend& b) { b.concat(f({4}), std::vector<ConstView>{f({4})}, 1); }},
    {"gather_rows",
     [](Backend& b) {
       b.gather_rows(f({2, 3}), f({4, 3}), i({3}));
     }},
    {"gather_rows",
     [](Backend& b) {
       b.gather_rows(f({2, 3}), f({4, 3}), f({2}));
     }},
    {"scatter_add_rows",
     [](Backend& b) {
       b.scatter_add_rows(f({4, 3}), f({2, 2}), i({2}));
     }},
    {"one_hot",
     [](Backend& b) {
       b.one_hot(f({2, 3}), i({3}));
     }},
    {"unary", [](Backend& b) { b.unary(UnaryOp::exp, f({2}), f({3}), 0, 0); }},
    {"unary", [](Backend& b) { b.unary(UnaryOp::exp, i({2}), i({2}), 0, 0); }},
    {"unary_backward", [](Backend& b) { b.unary_backward(UnaryOp::exp, f({2}), f({2}), f({3}), 0, 0); }},
    {"activation_backward", [](Backend& b) { b.activation_backward(Activation::relu, f({2}), f({3}), f({2}), 0); }},
    {"binary",
     [](Backend& b) {
       b.binary(BinaryOp::add, f({2, 3}), f({2, 3}), f({2, 2}));
     }},
    {"binary",
     [](Backend& b) {
       b.binary(BinaryOp::add, f({2, 3}), f({2, 1}), f({2, 1}));
     }},
    {"select", [](Backend& b) { b.select(f({2}), f({3}), f({2}), f({2})); }},
    {"axpby", [](Backend& b) { b.axpby(f({2}), 1, f({2}), 1, f({3})); }},
    {"pointwise_chain",
     [](Backend& b) {
       b.pointwise_chain(f({2}), std::vector<ConstView>{f({2}), f({3})}, std::vector<ChainStep>{{BinaryOp::add, 1}});
     }},
    {"pointwise_chain",
     [](Backend& b) {
       b.pointwise_chain(f({2}), std::vector<ConstView>{f({2}), i({2})}, std::vector<ChainStep>{{BinaryOp::add, 1}});
     }},
    {"pointwise_chain",
     [](Backend& b) {
       b.pointwise_chain(f({2}), std::vector<ConstView>{f({2})}, std::vector<ChainStep>{{BinaryOp::add, 1}});
     }},
    {"pointwise_chain",
     [](Backend& b) {
       b.pointwise_chain(f({2}), std::vector<ConstView>{f({2})}, std::vector<ChainStep>{{-1, BinaryOp::add}});
     }},
    {"pointwise_chain", [](Backend& b) { b.pointwise_chain(f({2}), std::vector<ConstView>{f({2})}, {}); }},
    {"pointwise_chain", [](Backend& b) { b.pointwise_chain(f({2}), {}, std::vector<ChainStep>{{UnaryOp::exp}}); }},
    {"pointwise_chain",
     [](Backend& b) {
       b.pointwise_chain(f({2}), std::vector<ConstView>(5, f({2})), std::vector<ChainStep>{{UnaryOp::exp}});
     }},
    {"pointwise_chain",
     [](Backend& b) {
       b.pointwise_chain(f({2}), std::vector<ConstView>{f({2})}, std::vector<ChainStep>(17, UnaryOp::exp));
     }},
    {"reduce",
     [](Backend& b) {
       b.reduce(ReduceOp::sum, f({2, 2}), f({2, 3}));
     }},
    {"reduce", [](Backend& b) { b.reduce(ReduceOp::max, f({1}), f({0})); }},
    {"argmax",
     [](Backend& b) {
       b.argmax(i({2}), f({2, 0}));
     }},
    {"softmax",
     [](Backend& b) {
       b.softmax(f({2, 3, 1}), f({2, 3, 1}), false);
     }},
    {"softmax_backward",
     [](Backend& b) {
       b.softmax_backward(f({2, 3}), f({2, 3}), f({2, 2}), false);
     }},
    {"all_finite", [](Backend& b) { b.all_finite(f({2}), f({3})); }},
    {"order_statistic",
     [](Backend& b) {
       b.order_statistic(f({2}), f({2, 3}), 3);
     }},
    {"loss", [](Backend& b) { b.loss(LossOp::l1, f({1}), f({3}), f({2}), 1); }},
    {"loss_backward", [](Backend& b) { b.loss_backward(LossOp::l1, f({3}), f({3}), f({3}), f({2}), 1); }},
    {"cross_entropy",
     [](Backend& b) {
       b.cross_entropy(f({2}), f({2, 3}), i({3}));
     }},
    {"cross_entropy_backward",
     [](Backend& b) {
       b.cross_entropy_backward(f({2, 3}), f({2, 3}), i({2}), f({3}));
     }},
    {"total_variation",
     [](Backend& b) {
       b.total_variation(f({2}), f({2, 3, 3, 1}), 0.5);
     }},
    {"total_variation_backward",
     [](Backend& b) {
       b.total_variation_backward(f({2, 3, 3, 1}), f({2, 3, 3, 1}), f({3}), 1);
     }},
    {"matmul",
     [](Backend& b) {
       b.matmul(f({2, 3}), f({2, 4}), f({5, 3}), false, false, {}, Activation::identity, 0, Compute::f32);
     }},
    {"conv2d",
     [](Backend& b) {
       b.conv2d(f({1, 4, 4, 2}), f({1, 4, 5, 3}), f({2, 3, 3, 3}), {}, kSame, Activation::identity, 0);
     }},
    {"conv2d_input_grad",
     [](Backend& b) {
       b.conv2d_input_grad(f({1, 4, 4, 3}), f({1, 4, 4, 2}), f({3, 3, 3, 3}), kSame);
     }},
    {"conv2d_weight_grad",
     [](Backend& b) {
       b.conv2d_weight_grad(f({2, 3, 3, 3}), f({1, 4, 4, 3}), f({2, 4, 4, 2}), kSame);
     }},
    {"max_pool",
     [](Backend& b) {
       b.max_pool(f({1, 2, 2, 1}), i({1, 2, 2, 2}), f({1, 4, 4, 1}), kHalf);
     }},
    {"avg_pool",
     [](Backend& b) {
       b.avg_pool(f({1, 2, 2, 1}), f({1, 4, 4, 1}), PoolGeometry::square(2, 2, 2));
     }},
    {"pool_scatter",
     [](Backend& b) {
       b.pool_scatter(f({1, 4, 4, 1}), f({2, 2, 2, 1}), i({2, 2, 2, 1}));
     }},
    {"pool_gather",
     [](Backend& b) {
       b.pool_gather(f({1, 2, 2, 1}), f({1, 4, 4, 1}), i({1, 2, 1, 1}));
     }},
    {"avg_pool",
     [](Backend& b) {
       b.avg_pool(f({1, 3, 2, 1}), f({1, 4, 4, 1}), kHalf);
     }},
    {"avg_pool_backward",
     [](Backend& b) {
       b.avg_pool_backward(f({1, 4, 4, 1}), f({1, 2, 3, 1}), kHalf);
     }},
    {"resize",
     [](Backend& b) {
       b.resize(f({1, 0, 2, 1}), f({1, 4, 4, 1}), ResizeMode::nearest);
     }},
    {"resize_backward",
     [](Backend& b) {
       b.resize_backward(f({1, 4, 4, 2}), f({1, 2, 2, 1}), ResizeMode::nearest);
     }},
    {"upsample_concat",
     [](Backend& b) {
       b.upsample_concat(f({1, 4, 4, 3}), f({1, 2, 2, 1}), f({1, 4, 4, 1}));
     }},
    {"upsample_concat_backward",
     [](Backend& b) {
       b.upsample_concat_backward(f({1, 2, 2, 1}), f({1, 4, 4, 1}), f({1, 4, 4, 3}));
     }},
    {"norm_statistics",
     [](Backend& b) {
       b.norm_statistics(f({1, 2}), f({1, 2}), f({2, 3, 3, 3}));
     }},
    {"norm_apply",
     [](Backend& b) {
       b.norm_apply(f({2, 3, 3, 2}), f({2, 3, 3, 2}), f({1, 2}), f({1, 2}), f({3, 2}), f({3, 2}), 1e-5,
                    Activation::identity, 0);
     }},
    {"norm_backward",
     [](Backend& b) {
       const View x = f({2, 3, 3, 2}), row = f({1, 2});
       b.norm_backward(x, row, f({2, 2}), x, x, x, row, row, row, 1e-5, Activation::identity, 0, true);
     }},
    {"power_iteration",
     [](Backend& b) {
       b.power_iteration(f({2}), f({2}), f({2, 3}), 1, 1e-12);
     }},
    {"power_iteration",
     [](Backend& b) {
       b.power_iteration(f({2}), f({3}), f({2, 3}), -1, 1e-12);
     }},
    {"random_uniform", [](Backend& b) { b.random_uniform(i({2}), {}, 0, 0, 1); }},
    {"random_normal", [](Backend& b) { b.random_normal(i({2}), {}, 0, 0, 1); }},
    {"dropout", [](Backend& b) { b.dropout(f({2}), f({2}), {}, 0, 1.0, false); }},
    {"dropout", [](Backend& b) { b.dropout(f({2}), f({2}), {}, 0, 0.5, true); }},
    {"adam",
     [](Backend& b) {
       const std::vector<View> p = {f({2})};
       b.adam(p, std::vector<ConstView>{f({3})}, p, p, {});
     }},
    {"sgd", [](Backend& b) { b.sgd(std::vector<View>{f({2})}, std::vector<ConstView>{}, {}, {}); }},
    {"rmsprop",
     [](Backend& b) {
       b.rmsprop(std::vector<View>{f({2})}, std::vector<ConstView>{f({2})}, std::vector<View>{f({3})}, {});
     }},
    {"separable_filter",
     [](Backend& b) {
       b.separable_filter(f({1, 4, 4, 1}), f({1, 4, 4, 1}), f({2}), f({3}), Border::zero);
     }},
    {"separable_filter_backward",
     [](Backend& b) {
       b.separable_filter_backward(f({1, 4, 4, 1}), f({1, 4, 3, 1}), f({3}), f({3}), Border::zero);
     }},
    {"affine_warp",
     [](Backend& b) {
       b.affine_warp(f({1, 4, 4, 1}), f({1, 4, 4, 1}), f({2, 2, 3}));
     }},
    {"affine_warp_backward",
     [](Backend& b) {
       b.affine_warp_backward(f({1, 4, 4, 1}), f({1, 4, 4, 2}), f({1, 2, 3}));
     }},
    {"pairwise_distance",
     [](Backend& b) {
       b.pairwise_distance(f({2, 3}), f({2, 4}), f({3, 5}));
     }},
    {"nearest_row",
     [](Backend& b) {
       b.nearest_row(f({2}), i({2}), f({2, 4}), f({0, 4}));
     }},
    {"connected_components",
     [](Backend& b) {
       b.connected_components(i({1, 3, 3}), f({1, 3, 3}), 6);
     }},
};

constexpr const char* kDevices[] = {
    "reference",
    "cpu",
#if !defined(__SANITIZE_THREAD__)  // which does not follow the emulation's fibres
    "simt",
#endif
};

TEST(Preconditions, HoldOnEveryBackendUnderThePrimitivesName) {
  for (const char* device : kDevices) {
    Backend& backend = open_device(device).backend();
    for (const auto& [name, call] : kWrong) {
      try {
        call(backend);
        ADD_FAILURE() << device << ": " << name << " did not complain";
      } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_TRUE(message.starts_with(name + ": ")) << device << ", " << name << ": " << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      }
    }
  }
}

TEST(Preconditions, AreTriedForEveryPrimitive) {
  std::ifstream file(std::string(COUNTERFOIL_SOURCE_DIR) + "/kernels/backend.h");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::regex declaration("virtual void ([a-z0-9_]+)\\(");
  for (auto match = std::sregex_iterator(text.begin(), text.end(), declaration); match != std::sregex_iterator();
       ++match) {
    const std::string name = (*match)[1];
    EXPECT_TRUE(name == "fill" || kWrong.contains(name)) << name;  // fill takes everything
  }
}

}  // namespace
}  // namespace counterfoil
