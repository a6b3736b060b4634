#pragma once

#include <cstdint>
#include <stdexcept>

#include "app/checkpoint.h"
#include "app/progress.h"
#include "app/run_directory.h"
#include "nn/trainable.h"

namespace counterfoil::app {

/// A loss or a weight became infinite or not a number, or a generator draws the same for most inputs
/// (app/collapse_watch.h). The program prints it and exits with status 3.
class Divergence : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct TrainingPlan {
  std::int64_t start = 0;             ///< steps already done
  std::int64_t steps = 0;             ///< in all
  std::int64_t checkpoint_every = 1;  ///< steps
  bool stop_on_collapse = true;       ///< else such a generator is trained on, saved as ever, and told of at the end
  Device* graph = nullptr;            ///< where the step shall be recorded in a graph and replayed; null: it is not
};

/// Trains to the end, or until SIGINT or SIGTERM, with a checkpoint every so many steps and at the end; every
/// checkpoint finds its line in metrics.csv on disk already. Returns the step reached. Throws Divergence, before
/// anything not finite is saved; nothing is saved either, but at the end, while a generator draws the same for every
/// input.
std::int64_t train(nn::Trainable& trainable, const RunDirectory& run, const TrainingPlan& plan,
                   const Metadata& metadata, Progress& progress);

/// From now on SIGINT and SIGTERM ask train() to stop after the step at hand; a second one ends the program at once.
/// Whoever read the progress may go away: SIGPIPE is ignored. For the thread that trains to call.
void catch_stop_signals();
/// The signal that came, 0 without one.
int stop_signal();

}  // namespace counterfoil::app
