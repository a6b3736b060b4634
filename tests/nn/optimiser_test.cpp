#include "nn/optimiser.h"

#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "nn/schedule.h"
#include "tensor/ops.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

std::unique_ptr<Optimiser> make(const std::string& name, const nlohmann::json& a, NamedParameters parameters) {
  const double lr = a.at("lr"), decay = a.value("weight_decay", 0.0);
  if (name.starts_with("sgd")) {
    return sgd(std::move(parameters), {.learning_rate = lr,
                                       .momentum = a.value("momentum", 0.0),
                                       .weight_decay = decay,
                                       .nesterov = a.value("nesterov", false)});
  }
  if (name.starts_with("adam")) {
    return adam(std::move(parameters), {.learning_rate = lr,
                                        .beta1 = a.at("betas")[0],
                                        .beta2 = a.at("betas")[1],
                                        .epsilon = a.at("eps"),
                                        .weight_decay = decay});
  }
  return rmsprop(std::move(parameters),
                 {.learning_rate = lr, .alpha = a.at("alpha"), .epsilon = a.at("eps"), .weight_decay = decay});
}

/// Row `step` of a stored sequence, in the shape of one element.
Tensor at_step(const Tensor& sequence, std::int64_t step) {
  std::vector<std::int64_t> extents(sequence.shape().extents().begin() + 1, sequence.shape().extents().end());
  return slice(sequence, 0, step, step + 1).reshape(Shape(extents));
}

struct Training {
  explicit Training(const std::string& name) : golden("optimisers", name) {
    a = Variable::leaf(at_step(golden.at("a_values"), 0).clone());
    b = Variable::leaf(at_step(golden.at("b_values"), 0).clone());
    optimiser = make(name, golden.attributes(), {{"a", a}, {"b", b}});
  }
  void step(std::int64_t i) {
    optimiser->step({Variable(at_step(golden.at("a_gradients"), i)), Variable(at_step(golden.at("b_gradients"), i))});
  }
  GoldenCase golden;
  Variable a, b;
  std::unique_ptr<Optimiser> optimiser;
};

TEST(Optimiser, StepsMatchGolden) {
  for (const std::string& name : golden_cases("optimisers")) {
    Training run(name);
    for (std::int64_t i = 0; i < 5; ++i) {
      run.step(i);
      expect_close(run.a.value(), at_step(run.golden.at("a_values"), i + 1), name + " a", 1e-12);
      expect_close(run.b.value(), at_step(run.golden.at("b_values"), i + 1), name + " b", 1e-12);
    }
    EXPECT_EQ(run.optimiser->steps(), 5);
  }
}

TEST(Optimiser, ResumesBitwise) {
  for (const char* name : {"adam_decay", "sgd_nesterov_decay", "rmsprop"}) {
    Training straight(name), stopped(name), resumed(name);
    straight.optimiser->set_learning_rate(0.03);
    stopped.optimiser->set_learning_rate(0.03);
    for (std::int64_t i = 0; i < 3; ++i) stopped.step(i);
    resumed.a.set_value(stopped.a.value().clone());
    resumed.b.set_value(stopped.b.value().clone());
    resumed.optimiser->load_state(stopped.optimiser->state("o."), "o.");
    for (std::int64_t i = 0; i < 5; ++i) straight.step(i);
    for (std::int64_t i = 3; i < 5; ++i) resumed.step(i);
    EXPECT_EQ(resumed.a.value().to_doubles(), straight.a.value().to_doubles()) << name;
    EXPECT_EQ(resumed.b.value().to_doubles(), straight.b.value().to_doubles()) << name;
  }
}

TEST(Optimiser, MinimisesAQuadratic) {
  const Variable x = Variable::leaf(f64({4, -3}, {2}));
  const auto optimiser = sgd({{"x", x}}, {.learning_rate = 0.1, .momentum = 0.5});
  for (int i = 0; i < 200; ++i) optimiser->minimise(sum(square(x - 1.0)));
  expect_close(x.value(), f64({1, 1}, {2}), "minimum", 1e-9);
}

TEST(Optimiser, RefusesWhatDoesNotFit) {
  Training run("adam");
  EXPECT_THROW(run.optimiser->step({Variable(at_step(run.golden.at("a_gradients"), 0))}), Error);
  const Variable wrong(f64({1}, {1}));
  EXPECT_THROW(run.optimiser->step({wrong, wrong}), Error);
  auto state = run.optimiser->state("");
  state.erase("b.exp_avg_sq");
  state.at("steps") = Tensor::from(std::vector<std::int64_t>{9}, Shape{1}, reference_device());
  EXPECT_THROW(run.optimiser->load_state(state, ""), Error);
  EXPECT_EQ(run.optimiser->steps(), 0);
  EXPECT_THROW(adam({}, {}), Error);
}

TEST(Schedule, StepsDownAtItsMilestones) {
  const StepSchedule schedule{.learning_rate = 0.8, .factor = 0.5, .milestones = {2, 5}};
  std::vector<double> rates;
  for (std::int64_t step = 0; step < 7; ++step) rates.push_back(schedule.rate(step));
  EXPECT_EQ(rates, (std::vector<double>{0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2}));

  const Variable x = Variable::leaf(f64({1}, {1}));
  const auto optimiser = sgd({{"x", x}}, {.learning_rate = 7});
  for (int i = 0; i < 3; ++i) {
    schedule.apply(*optimiser);
    optimiser->step({Variable(f64({0}, {1}))});
  }
  EXPECT_EQ(optimiser->learning_rate(), 0.4);
}

TEST(Schedule, LowersTheRateOnAPlateau) {
  const Variable x = Variable::leaf(f64({1}, {1}));
  const auto optimiser = sgd({{"x", x}}, {.learning_rate = 0.9});
  PlateauSchedule schedule(reference_device(), {.factor = 1.0 / 3, .patience = 2, .threshold = 0.1, .minimum = 0.2});
  EXPECT_FALSE(schedule.observe(1, *optimiser));
  EXPECT_FALSE(schedule.observe(0.95, *optimiser));  // not by 10%
  EXPECT_FALSE(schedule.observe(2, *optimiser));

  // Stopped and resumed here.
  PlateauSchedule resumed(reference_device(), {.factor = 1.0 / 3, .patience = 2, .threshold = 0.1, .minimum = 0.2});
  resumed.load_state(schedule.state());
  EXPECT_TRUE(resumed.observe(1.5, *optimiser));
  EXPECT_NEAR(optimiser->learning_rate(), 0.3, 1e-15);
  EXPECT_FALSE(resumed.observe(0.5, *optimiser));  // better: the count starts anew
  EXPECT_FALSE(resumed.observe(0.5, *optimiser));
  EXPECT_FALSE(resumed.observe(0.5, *optimiser));
  EXPECT_TRUE(resumed.observe(0.5, *optimiser));
  EXPECT_EQ(optimiser->learning_rate(), 0.2);
}

}  // namespace
}  // namespace counterfoil::nn
