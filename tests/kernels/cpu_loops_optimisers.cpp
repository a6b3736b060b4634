#include <functional>

#include "kernels/error.h"
#include "tests/kernels/cpu_loops.h"

namespace counterfoil::cpu_loops {
namespace {

const std::vector<Shape> kParameters{{3, 3, 2, 5}, {1}, {0}, {40000}, {17}};

// A network's arrays in f32 or, for the reference, f64.
template <typename T>
struct Network {
  std::vector<std::vector<T>> arrays;

  Network(unsigned seed, float low, float high) {
    for (const Shape& shape : kParameters) {
      const Floats values = uniform(shape, seed++, low, high);
      arrays.emplace_back(values.data.begin(), values.data.end());
    }
  }
  std::vector<View> views() {
    std::vector<View> all;
    for (std::size_t i = 0; i < arrays.size(); ++i) all.push_back({arrays[i].data(), kParameters[i], dtype_of<T>()});
    return all;
  }
};

template <typename T>
struct State {
  Network<T> parameters{1, -1, 1}, gradients{20, -0.5f, 0.5f}, first{40, -0.1f, 0.1f}, second{60, 0, 0.1f};
};

using Step = std::function<void(Backend&, std::span<const View>, std::span<const ConstView>, std::span<const View>,
                                std::span<const View>)>;

template <typename T>
State<T> run(Backend& backend, const Step& step) {
  State<T> state;
  const std::vector<View> gradients = state.gradients.views();
  const std::vector<ConstView> read(gradients.begin(), gradients.end());
  for (int i = 0; i < 3; ++i) step(backend, state.parameters.views(), read, state.first.views(), state.second.views());
  return state;
}

void expect_steps_alike(const Step& step, const std::string& what) {
  const State<double> want = run<double>(reference(), step);
  const auto on_cpu = [&](int threads) {
    const Threads scope(threads);
    return run<float>(cpu(), step);
  };
  const State<float> got = on_cpu(1), again = on_cpu(2);
  for (std::size_t i = 0; i < kParameters.size(); ++i) {
    expect_close(got.parameters.arrays[i], want.parameters.arrays[i], {1e-6, 1e-6}, what + " parameter");
    expect_close(got.first.arrays[i], want.first.arrays[i], {1e-6, 1e-6}, what + " first");
    expect_close(got.second.arrays[i], want.second.arrays[i], {1e-6, 1e-6}, what + " second");
    EXPECT_EQ(got.parameters.arrays[i], again.parameters.arrays[i]) << what;
  }
}

TEST(CpuLoopsOptimisers, Adam) {
  for (const std::int64_t step : {1, 2, 1000000}) {
    for (const double decay : {0.0, 0.01}) {
      expect_steps_alike(
          [=](Backend& b, auto p, auto g, auto m, auto v) {
            b.adam(p, g, m, v, {.learning_rate = 0.01, .beta1 = 0.5, .weight_decay = decay, .step = step});
          },
          "adam");
    }
  }
}

TEST(CpuLoopsOptimisers, Sgd) {
  for (const bool nesterov : {false, true}) {
    expect_steps_alike(
        [=](Backend& b, auto p, auto g, auto m, auto) {
          b.sgd(p, g, m, {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = nesterov});
        },
        "sgd");
  }
  expect_steps_alike([](Backend& b, auto p, auto g, auto, auto) { b.sgd(p, g, {}, {.learning_rate = 0.1}); },
                     "plain sgd");
}

TEST(CpuLoopsOptimisers, RmsProp) {
  expect_steps_alike([](Backend& b, auto p, auto g, auto, auto v) { b.rmsprop(p, g, v, {.weight_decay = 0.01}); },
                     "rmsprop");
}

TEST(CpuLoopsOptimisers, BadArguments) {
  State<float> state;
  const std::vector<View> p = state.parameters.views(), m = state.first.views();
  const std::vector<ConstView> g(m.begin(), m.end());
  EXPECT_THROW(cpu().adam(p, std::span(g).first(2), m, m, {}), Error);
  EXPECT_THROW(cpu().sgd(p, g, {}, {.momentum = 0.9}), Error);
  EXPECT_THROW(cpu().rmsprop(p, g, std::span(m).first(1), {}), Error);
}

}  // namespace
}  // namespace counterfoil::cpu_loops
