#include "nn/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace counterfoil::nn {

double StepSchedule::rate(std::int64_t step) const {
  const auto reached = std::count_if(milestones.begin(), milestones.end(), [=](auto m) { return m <= step; });
  return learning_rate * std::pow(factor, static_cast<double>(reached));
}

PlateauSchedule::PlateauSchedule(Device& device, const PlateauOptions& options)
    : options_(options),
      best_(Tensor::from(std::vector<double>{std::numeric_limits<double>::infinity()}, Shape{1}, device)),
      stale_(Tensor::from(std::vector<double>{0}, Shape{1}, device)) {
  register_buffer("best", best_);
  register_buffer("stale", stale_);
}

bool PlateauSchedule::observe(double loss, Optimiser& optimiser) {
  double best = best_.item(), stale = stale_.item();
  if (loss < best * (1 - options_.threshold)) {
    best = loss;
    stale = 0;
  } else {
    ++stale;
  }
  const bool lower = stale > options_.patience;
  if (lower) {
    optimiser.set_learning_rate(std::max(optimiser.learning_rate() * options_.factor, options_.minimum));
    stale = 0;
  }
  best_ = Tensor::from(std::vector<double>{best}, Shape{1}, best_.device());
  stale_ = Tensor::from(std::vector<double>{stale}, Shape{1}, stale_.device());
  return lower;
}

}  // namespace counterfoil::nn
