#include "app/training_loop.h"

#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "app/collapse_watch.h"
#include "app/config.h"
#include "autograd/ops.h"
#include "kernels/error.h"
#include "nn/linear.h"
#include "tests/app/program.h"

namespace counterfoil::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// One linear layer that learns to answer 1, until told to go wrong.
class Learner final : public nn::Trainable {
 public:
  Learner() : weights_(1, "weights"), batches_(1, "batches"), layer_({weights_, reference_device()}, 3, 1) {
    optimiser_ = nn::adam(layer_.named_parameters(), {0.05});
    state_.modules = {{"layer", &layer_}};
    state_.optimisers = {{"layer", optimiser_.get()}};
    state_.randoms = {{"batches", &batches_}};
  }

  std::vector<Tensor> draw() override {
    ++steps;
    return {batches_.uniform(Shape{4, 3}, 0, 1, reference_device())};
  }
  nn::DeviceTerms compute(const std::vector<Tensor>& batch) override {
    const Tensor& x = batch.front();
    const Variable loss =
        l2_loss(layer_.forward(x, nn::Pass::eval()), Tensor::full(Shape{4, 1}, 1, DType::f32, reference_device()));
    optimiser_->minimise(loss);
    if (steps == bad_weight_at) {
      Variable weight = layer_.named_parameters().front().second;
      weight.set_value(
          Tensor::full(weight.shape(), std::numeric_limits<double>::infinity(), DType::f32, reference_device()));
    }
    const bool same = steps >= same_from && steps < same_until;
    drawn_ = {{"g0", x}, {"g1", same ? Tensor::full(x.shape(), 0.5, DType::f32, reference_device()) : x}};
    return {{"loss",
             steps == bad_loss_at ? Tensor::full({1}, std::nan(""), DType::f32, reference_device()) : loss.value()}};
  }
  std::int64_t images_per_step() const override { return 4; }

  std::int64_t steps = 0, bad_loss_at = 0, bad_weight_at = 0;
  std::int64_t same_from = 0, same_until = 0;  ///< steps at which g1 draws the same for all

 private:
  Random weights_, batches_;
  nn::Linear layer_;
  std::unique_ptr<nn::Optimiser> optimiser_;
};

class TrainingLoop : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  RunDirectory directory(const std::string& name) const {
    const RunDirectory run(folder_ / name);
    run.create();
    return run;
  }
  static std::int64_t train_to(Learner& learner, const RunDirectory& run, std::int64_t start, std::int64_t steps,
                               std::int64_t every) {
    Progress progress(start, steps, 4, run.log());
    return train(learner, run, {start, steps, every}, {{"kind", "test"}}, progress);
  }

  fs::path folder_ = fs::temp_directory_path() / ("counterfoil_loop_" + std::to_string(::getpid()));
};

// Else the frame of a signal that meets oneDNN's sgemm is written over the heap.
TEST(StopSignals, HaveAStackOfTheirOwn) {
  catch_stop_signals();
  stack_t stack = {};
  ASSERT_EQ(sigaltstack(nullptr, &stack), 0);
  EXPECT_EQ(stack.ss_flags & SS_DISABLE, 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action = {};
    ASSERT_EQ(sigaction(signal, nullptr, &action), 0);
    EXPECT_NE(action.sa_flags & SA_ONSTACK, 0);
    std::signal(signal, SIG_DFL);
  }
}

TEST_F(TrainingLoop, StoppedAndResumedIsStraightThrough) {
  const RunDirectory straight = directory("straight"), stopped = directory("stopped");
  Learner learner;
  EXPECT_EQ(train_to(learner, straight, 0, 20, 20), 20);
  Learner before;
  train_to(before, stopped, 0, 13, 6);
  // Lines after the checkpoint, as a killed run leaves them, whole and torn.
  std::ofstream(stopped.metrics(), std::ios::app) << "14,0.5\n15,0.";
  Learner after;
  const std::int64_t start = load_checkpoint(stopped.checkpoint(), after.training_state(), reference_device());
  EXPECT_EQ(start, 13);
  train_to(after, stopped, start, 20, 20);
  EXPECT_EQ(bytes_of(stopped.metrics()), bytes_of(straight.metrics()));
  EXPECT_EQ(bytes_of(stopped.checkpoint()), bytes_of(straight.checkpoint()));
  EXPECT_THAT(bytes_of(straight.metrics()), testing::StartsWith("step,loss\n1,"));
}

TEST_F(TrainingLoop, DivergedLossStopsAndKeepsTheLastCheckpoint) {
  const RunDirectory run = directory("run");
  Learner learner;
  learner.bad_loss_at = 8;
  try {
    train_to(learner, run, 0, 20, 3);
    FAIL();
  } catch (const Divergence& divergence) {
    EXPECT_THAT(divergence.what(), HasSubstr("diverged at step 8: loss is nan; the last good checkpoint"));
    EXPECT_THAT(divergence.what(), HasSubstr("is of step 6"));
  }
  Learner again;
  EXPECT_EQ(load_checkpoint(run.checkpoint(), again.training_state(), reference_device()), 6);
}

TEST_F(TrainingLoop, DivergedWeightsAreNotSaved) {
  const RunDirectory run = directory("run");
  Learner learner;
  learner.bad_weight_at = 3;
  EXPECT_THROW(train_to(learner, run, 0, 3, 3), Divergence);
  EXPECT_FALSE(fs::exists(run.checkpoint()));
}

TEST_F(TrainingLoop, ACollapsedGeneratorStopsAndKeepsTheLastGoodCheckpoint) {
  const RunDirectory run = directory("run");
  Learner learner;
  learner.same_from = 41;
  learner.same_until = 1000;
  try {
    train_to(learner, run, 0, 400, 30);
    FAIL();
  } catch (const Divergence& divergence) {
    EXPECT_THAT(divergence.what(), HasSubstr("diverged at step 150: what g1 draws has been the same for most inputs"));
    EXPECT_THAT(divergence.what(), HasSubstr("since step 50"));
    EXPECT_THAT(divergence.what(), HasSubstr("is of step 30"));
  }
  Learner again;
  EXPECT_EQ(load_checkpoint(run.checkpoint(), again.training_state(), reference_device()), 30);
}

TEST_F(TrainingLoop, AGeneratorThatRecoversGoesOn) {
  const RunDirectory run = directory("run"), straight = directory("straight");
  Learner learner, never;
  learner.same_from = 41;
  learner.same_until = 135;
  EXPECT_EQ(train_to(learner, run, 0, 200, 30), 200);
  EXPECT_EQ(train_to(never, straight, 0, 200, 30), 200);
  EXPECT_EQ(bytes_of(run.checkpoint()), bytes_of(straight.checkpoint()));
}

TEST_F(TrainingLoop, WorkIsKeptAtTheEndOfADoubtfulRunAndTheDoubtIsSaid) {
  const RunDirectory run = directory("run");
  Learner learner;
  learner.same_from = 41;
  learner.same_until = 1000;
  EXPECT_EQ(train_to(learner, run, 0, 95, 30), 95);
  Learner again;
  EXPECT_EQ(load_checkpoint(run.checkpoint(), again.training_state(), reference_device()), 95);
  EXPECT_THAT(bytes_of(run.log()),
              HasSubstr("at step 95 what g1 draws has been the same for most inputs since step 50"));
}

TEST(CollapseWatch, PartAlikeByHand) {
  const auto rows = [](const std::vector<float>& values, const Shape& shape) {
    return Tensor::from(values, shape, reference_device());
  };
  const Tensor four = rows({0, 0, 3, 4, 0.5, 0.5, 4, 3}, {4, 2});
  EXPECT_EQ(part_alike(four, 0.5), 0.25);  // the first and the third are sqrt((0.25 + 0.25) / 2) apart
  EXPECT_EQ(part_alike(four, 0.51), 0.5);
  EXPECT_EQ(part_alike(four, 1.01), 0.5);  // two pairs, 3.04 apart at the nearest
  EXPECT_EQ(part_alike(four, 3.05), 1);    // the third row is near all
  EXPECT_EQ(part_alike(rows({0.25F, 1, 0.25F, 1}, {2, 1, 2, 1}), 1e-3), 1);
  EXPECT_FALSE(part_alike(rows({0, 1}, {1, 2}), 1e-3));                  // one image cannot differ
  EXPECT_EQ(part_alike(rows({NAN, NAN, NAN, NAN}, {2, 2}), 1e-3), 0.5);  // is another's to report
}

TEST(CollapseWatch, AFewOthersDoNotHideTheMost) {
  const auto drawn = [](int others) -> std::vector<nn::Drawn> {
    std::vector<float> values(20 * 4, 0.0F);
    for (int row = 0; row < others; ++row) values[static_cast<std::size_t>(row) * 4] = static_cast<float>(row + 1) / 20;
    return {{"g", Tensor::from(values, {20, 4}, reference_device())}};
  };
  CollapseWatch watch(1000);
  watch.look(10, drawn(5));
  EXPECT_TRUE(watch.doubtful());
  watch.look(110, drawn(4));
  EXPECT_TRUE(watch.collapsed(110));
  watch.look(120, drawn(10));  // half of them alike: the images of one class, it may be
  EXPECT_FALSE(watch.doubtful());
}

TEST(CollapseWatch, PartAlikeWithinGroupsByHand) {
  const Tensor rows = Tensor::from(std::vector<float>{0, 5, 0, 5, 0, 7}, {6, 1}, reference_device());
  EXPECT_EQ(part_alike(rows, 1), 0.5);
  EXPECT_EQ(part_alike(rows, 1, {0, 1, 0, 1, 0, 1}), 5.0 / 6);  // 3 of 3 and 2 of 3
  EXPECT_EQ(part_alike(rows, 1, {0, 1, 0, 1, 0, 2}), 1);        // a single one is not compared
  EXPECT_EQ(part_alike(rows, 1, {0, 1, 0, 1, -1, -1}), 1);      // nor are those left out
  EXPECT_EQ(part_alike(rows, 1, {0, 0, 1, 1, -1, -1}), 0.5);
  EXPECT_FALSE(part_alike(rows, 1, {0, 1, 2, 3, -1, -1}));
}

// One image per class that is asked for, but for rows that were to stay.
TEST(CollapseWatch, OneImagePerWayIsACollapseThatTakesLonger) {
  const auto drawn = [](const std::vector<float>& values, const std::vector<std::int32_t>& from,
                        const std::vector<std::int32_t>& to) -> std::vector<nn::Drawn> {
    const auto count = static_cast<std::int64_t>(values.size());
    Device& device = reference_device();
    return {{"g", Tensor::from(values, {count, 1}, device), Tensor::from(from, {count}, device),
             Tensor::from(to, {count}, device)}};
  };
  const auto collapsed = drawn({3, 8, 3, 8, 3, 8, 1, 2}, {8, 3, 8, 3, 8, 3, 3, 3}, {3, 8, 3, 8, 3, 8, 3, 3});
  const auto untold = drawn({3, 8, 4, 5}, {8, 3, 3, 8}, {3, 8, 3, 8});
  const auto healthy = drawn({3, 8, 4, 9, 5, 7, 1, 2}, {8, 3, 8, 3, 8, 3, 3, 3}, {3, 8, 3, 8, 3, 8, 3, 3});
  CollapseWatch watch(6000);
  watch.look(10, healthy);
  EXPECT_FALSE(watch.doubtful());
  watch.look(20, collapsed);
  EXPECT_TRUE(watch.doubtful());
  watch.look(900, untold);  // no two rows of one way: as before
  watch.look(1519, collapsed);
  EXPECT_FALSE(watch.collapsed(1519));
  EXPECT_TRUE(watch.collapsed(1520));
  EXPECT_EQ(watch.finding(1520),
            "what g draws has been the same for most inputs of a class and a class asked for since step 20");
  watch.look(1530, healthy);
  EXPECT_FALSE(watch.doubtful());
  CollapseWatch shorter(1000);
  shorter.look(20, collapsed);
  EXPECT_TRUE(shorter.collapsed(520));
  shorter.look(30, drawn({3, 3, 3, 3}, {8, 4, 8, 4}, {3, 8, 3, 8}));  // the same for all: another matter
  EXPECT_TRUE(shorter.collapsed(130));
}

TEST_F(TrainingLoop, ACollapseMayBeTrainedOn) {
  const RunDirectory run = directory("run");
  Learner learner;
  learner.same_from = 41;
  learner.same_until = 1000;
  Progress progress(0, 200, 4, run.log());
  TrainingPlan plan{0, 200, 30};
  plan.stop_on_collapse = false;
  EXPECT_EQ(train(learner, run, plan, {}, progress), 200);
  EXPECT_THAT(bytes_of(run.log()), HasSubstr("at step 200 what g1 draws has been the same"));
}

TEST_F(TrainingLoop, MetricsThatLackLinesAreRefused) {
  const RunDirectory run = directory("run");
  Learner learner;
  train_to(learner, run, 0, 6, 6);
  std::ofstream(run.metrics()) << "step,loss\n1,0.5\n3,0.5\n";
  EXPECT_THROW(MetricsFile(run.metrics(), 6), Error);
  std::ofstream(run.metrics()) << "";
  EXPECT_THROW(MetricsFile(run.metrics(), 6), Error);
}

TEST_F(TrainingLoop, CheckpointsOfSomethingElseAreRefused) {
  const RunDirectory run = directory("run");
  Learner learner;
  save_checkpoint(run.checkpoint(), learner.training_state(), 1, {});
  const auto complaint = [&](nn::TrainingState& state) -> std::string {
    try {
      (void)load_checkpoint(run.checkpoint(), state, reference_device());
    } catch (const Error& error) {
      return error.what();
    }
    return "(no error)";
  };
  nn::TrainingState& state = learner.training_state();
  EXPECT_EQ(complaint(state), "(no error)");
  nn::TrainingState fewer = state;
  fewer.optimisers.clear();
  EXPECT_THAT(complaint(fewer), HasSubstr("belongs to nothing here"));
  nn::TrainingState renamed = state;
  renamed.randoms[0].first = "others";
  EXPECT_THAT(complaint(renamed), HasSubstr("no 'random.others'"));
}

TEST_F(TrainingLoop, OneProcessPerRun) {
  const RunDirectory run = directory("run");
  const RunLock lock(run);
  EXPECT_THROW(RunLock{run}, Error);
}

TEST(Duration, ReadsWell) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(59.2), "1 min 00 s");
  EXPECT_EQ(duration_text(3725), "1 h 02 min");
}

}  // namespace
}  // namespace counterfoil::app
