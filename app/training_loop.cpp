#include "app/training_loop.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "app/collapse_watch.h"
#include "nn/graph_step.h"

namespace counterfoil::app {

namespace {

volatile std::sig_atomic_t stop_requested = 0;

extern "C" void request_stop(int signal) {
  stop_requested = signal;
}

[[noreturn]] void diverge(std::int64_t step, const std::string& what, const RunDirectory& run, std::int64_t saved) {
  throw Divergence(fmt::format(
      "diverged at step {}: {}; {}", step, what,
      saved > 0 ? fmt::format("the last good checkpoint, {}, is of step {}", run.checkpoint().string(), saved)
                : "there is no checkpoint yet"));
}

}  // namespace

void catch_stop_signals() {
  // Handlers run on a stack of their own: oneDNN's generated sgemm points the stack register into its heap workspace
  // (2.6.3), and a signal's frame, some kilobytes of vector registers, would be written over what lies below.
  alignas(16) static std::array<std::byte, 65536> memory;
  stack_t stack = {};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  if (sigaltstack(&stack, nullptr) != 0)
    fail("cannot give the signal handlers a stack: {}", std::generic_category().message(errno));
  struct sigaction action = {};
  action.sa_handler = request_stop;
  action.sa_flags = SA_ONSTACK | SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int stop_signal() {
  return stop_requested;
}

std::int64_t train(nn::Trainable& trainable, const RunDirectory& run, const TrainingPlan& plan,
                   const Metadata& metadata, Progress& progress) {
  std::optional<nn::GraphStep> graph;
  if (plan.graph != nullptr) graph.emplace(trainable, *plan.graph);
  MetricsFile metrics(run.metrics(), plan.start);
  std::int64_t saved = plan.start;
  std::int64_t step = plan.start;
  CollapseWatch watch(plan.steps);
  while (step < plan.steps && stop_signal() == 0) {
    ++step;
    const nn::LossTerms terms = graph.has_value() ? graph->run() : trainable.train_step();
    for (const auto& [name, value] : terms) {
      if (!std::isfinite(value)) diverge(step, fmt::format("{} is {}", name, value), run, saved);
    }
    metrics.write(step, terms);
    progress.step(step, terms);
    const bool last = step == plan.steps || stop_signal() != 0;
    const bool due = last || step % plan.checkpoint_every == 0;
    if (due || step % CollapseWatch::kInterval == 0) {
      watch.look(step, trainable.drawn());
      if (watch.collapsed(step) && plan.stop_on_collapse) diverge(step, watch.finding(step), run, saved);
      if (last && watch.doubtful()) progress.say(fmt::format("at step {} {}", step, watch.finding(step)));
    }
    if (due && (last || !watch.doubtful() || !plan.stop_on_collapse)) {
      if (!is_finite(trainable.training_state())) diverge(step, "a weight is not finite", run, saved);
      metrics.sync();
      save_checkpoint(run.checkpoint(), trainable.training_state(), step, metadata);
      saved = step;
    }
  }
  return step;
}

}  // namespace counterfoil::app
