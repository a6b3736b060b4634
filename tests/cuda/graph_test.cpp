#include "kernels/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_device.h"
#include "kernels/error.h"
#include "kernels/listening_device.h"
#include "tensor/ops.h"
#include "tensor/random.h"

// Graphs of the CUDA backend, executed by kernels/simt.

namespace counterfoil::cuda_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CudaGraph : public testing::Test {
 protected:
  Device& device_ = cuda::open();
  Backend& backend_ = device_.backend();
};

TEST_F(CudaGraph, RunsWhenItIsLaunchedAndAsOften) {
  Tensor x = Tensor::full({3}, 1, DType::f32, device_);
  const auto graph = record(device_, [&] { backend_.unary(UnaryOp::affine, x.mutable_view(), x.view(), 2, 1); });
  EXPECT_THAT(x.to_doubles(), ElementsAre(1, 1, 1));
  graph->launch({});
  graph->launch({});
  EXPECT_THAT(x.to_doubles(), ElementsAre(7, 7, 7));
}

TEST_F(CudaGraph, RandomStreamsAdvance) {
  constexpr std::int64_t kCount = 10;
  Tensor uniform = Tensor::empty({kCount}, DType::f32, device_), normal = uniform.clone(), dropped = uniform.clone();
  Tensor planes = Tensor::empty({2, 2, 2, 3}, DType::f32, device_);
  const Tensor ones = Tensor::full({kCount}, 1, DType::f32, device_),
               images = Tensor::full({2, 2, 2, 3}, 1, DType::f32, device_);
  const RandomKey a{3, 4}, b{3, 5};
  const auto draw = [&](std::uint64_t advance_a, std::uint64_t advance_b) {
    backend_.random_uniform(uniform.mutable_view(), a, 7 + advance_a, -1, 1);
    backend_.random_normal(normal.mutable_view(), b, 2 + advance_b, 0, 1);
    backend_.dropout(dropped.mutable_view(), ones.view(), a, 17 + advance_a, 0.5, false);
    backend_.dropout(planes.mutable_view(), images.view(), b, 12 + advance_b, 0.5, true);
  };
  const auto values = [&] {
    std::vector<double> all;
    for (const Tensor& tensor : {uniform, normal, dropped, planes}) {
      const std::vector<double> more = tensor.to_doubles();
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  };
  const auto graph = record(device_, [&] { draw(0, 0); });
  ASSERT_EQ(graph->draws().size(), 4u);
  EXPECT_EQ(graph->draws()[2].first, 17u);
  EXPECT_EQ(graph->draws()[2].last, 27u);
  EXPECT_EQ(graph->draws()[3].last, 12u + 6) << "a word for each plane";
  for (const auto& [advance_a, advance_b] : {std::pair{0, 0}, {1, 0}, {30, 7}, {31, 4}}) {
    graph->launch({{{a, static_cast<std::uint64_t>(advance_a)}, {b, static_cast<std::uint64_t>(advance_b)}}, {}});
    const std::vector<double> found = values();
    draw(static_cast<std::uint64_t>(advance_a), static_cast<std::uint64_t>(advance_b));
    EXPECT_EQ(found, values());
  }
  graph->launch({{{a, ~std::uint64_t{0}}}, {}});
  const std::vector<double> found = values();
  draw(~std::uint64_t{0}, 0);  // one word back
  EXPECT_EQ(found, values());
}

TEST_F(CudaGraph, OptimisersTakeRatesAndStepsOfTheLaunch) {
  const auto make = [&](double value) { return Tensor::full({5}, value, DType::f32, device_); };
  struct Parts {
    Tensor p, g, m, v;
  };
  const auto parts = [&] { return Parts{make(1), make(0.25), make(0.5), make(0.125)}; };
  const auto adam = [&](Parts& s, const AdamStep& step) {
    const View p = s.p.mutable_view(), m = s.m.mutable_view(), v = s.v.mutable_view();
    const ConstView g = s.g.view();
    backend_.adam({&p, 1}, {&g, 1}, {&m, 1}, {&v, 1}, step);
  };
  const auto sgd = [&](Parts& s, const SgdStep& step) {
    const View p = s.p.mutable_view(), m = s.m.mutable_view();
    const ConstView g = s.g.view();
    backend_.sgd({&p, 1}, {&g, 1}, {&m, 1}, step);
  };
  const auto rmsprop = [&](Parts& s, const RmsPropStep& step) {
    const View p = s.p.mutable_view(), m = s.m.mutable_view();
    const ConstView g = s.g.view();
    backend_.rmsprop({&p, 1}, {&g, 1}, {&m, 1}, step);
  };
  AdamStep a{.learning_rate = 0.01, .step = 3};
  SgdStep b{.learning_rate = 0.02, .momentum = 0.9};
  RmsPropStep c{.learning_rate = 0.03};
  Parts recorded[] = {parts(), parts(), parts()}, eager[] = {parts(), parts(), parts()};
  const auto graph = record(device_, [&] {
    adam(recorded[0], a);
    sgd(recorded[1], b);
    rmsprop(recorded[2], c);
  });
  ASSERT_EQ(graph->updates().size(), 3u);
  EXPECT_EQ(graph->updates()[0].parameter, recorded[0].p.view().data);
  const auto change = [&](int which, double rate, std::int64_t steps) {
    return Graph::Changes::Optimiser{recorded[which].p.view().data, rate, steps};
  };
  graph->launch({});
  graph->launch({{}, {change(0, 0.5, 1), change(1, 0.6, 1), change(2, 0.7, 1)}});
  for (int round = 0; round < 2; ++round) {
    adam(eager[0], a);
    sgd(eager[1], b);
    rmsprop(eager[2], c);
    a.learning_rate = 0.5;
    a.step = 4;
    b.learning_rate = 0.6;
    c.learning_rate = 0.7;
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(recorded[i].p.to_doubles(), eager[i].p.to_doubles()) << i;
    EXPECT_EQ(recorded[i].m.to_doubles(), eager[i].m.to_doubles()) << i;
  }
  EXPECT_NE(eager[0].p.to_doubles(), parts().p.to_doubles());
}

TEST_F(CudaGraph, ItsMemoryIsNobodyElsesUntilItIsGone) {
  Tensor out = Tensor::empty({1000}, DType::f32, device_);
  const Tensor x = Tensor::full({1000}, 3, DType::f32, device_);
  const void *temporary = nullptr, *scratch = nullptr;
  auto graph = record(device_, [&] {
    {
      const Tensor double_x = unary(UnaryOp::affine, x, 2, 0);
      temporary = double_x.view().data;
      device_.copy_within(out.mutable_view().data, double_x.view().data, out.bytes());
    }
    scratch = unary(UnaryOp::affine, x, 5, 0).view().data;
  });
  EXPECT_EQ(scratch, temporary) << "within the graph it is used again";
  for (int i = 0; i < 20; ++i) EXPECT_NE(Tensor::empty({1000}, DType::f32, device_).view().data, temporary);
  device_.trim();
  graph->launch({});
  EXPECT_THAT(out.to_doubles(), testing::Each(6.0));
  const std::size_t in_use = device_.memory_use().in_use;
  graph.reset();
  EXPECT_LT(device_.memory_use().in_use, in_use) << "the table of its launches";
  std::vector<Tensor> again;
  for (int i = 0; i < 20; ++i) again.push_back(Tensor::empty({1000}, DType::f32, device_));
  EXPECT_TRUE(std::ranges::any_of(again, [&](const Tensor& tensor) { return tensor.view().data == temporary; }));
}

TEST_F(CudaGraph, RefusesTheHost) {
  const Tensor x = Tensor::full({3}, 1, DType::f32, device_);
  const auto refused = [&](const std::function<void()>& work, const char* what) {
    EXPECT_THAT([&] { record(device_, work); }, testing::ThrowsMessage<Error>(HasSubstr(what)));
    EXPECT_THAT(unary(UnaryOp::affine, x, 4, 0).to_doubles(), ElementsAre(4, 4, 4)) << "as if nothing had been";
  };
  refused([&] { x.item(); }, "one element");
  refused([&] { x.to_doubles(); }, "what is recorded in a graph copies to the host");
  refused([&] { Tensor::from(std::vector<float>{1}, {1}, device_); }, "copies from the host");
  refused([&] { device_.synchronize(); }, "waits for the device");
  refused([&] { record(device_, [] {}); }, "being recorded already");
  EXPECT_THAT([] { record(cpu_device(), [] {}); },
              testing::ThrowsMessage<Error>(HasSubstr("device 'cpu' has no graphs")));
}

TEST_F(CudaGraph, AListenerHearsOneCallWithAllItsWork) {
  WorkMeter meter;
  ListeningDevice device(device_, meter);
  Tensor x = Tensor::full({100}, 1, DType::f32, device);
  const auto graph = record(device, [&] {
    const Span span(device, "span");
    for (int i = 0; i < 3; ++i) device.backend().unary(UnaryOp::affine, x.mutable_view(), x.view(), 1, 1);
  });
  EXPECT_EQ(meter.calls, 1u);
  EXPECT_EQ(meter.total.flops, 0);
  graph->launch({});
  EXPECT_EQ(meter.calls, 2u);
  EXPECT_EQ(meter.total.flops, 3 * 2 * 100);
  EXPECT_THAT(x.to_doubles(), testing::Each(4.0));
}

}  // namespace
}  // namespace counterfoil::cuda_test
