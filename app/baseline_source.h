#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "app/run.h"
#include "methods/attributions/attribution.h"

namespace counterfoil::app {

/// Where the baselines of an attribution come from: a name of baseline_names(), or the run directory of an explainer of
/// the same classifier, whose counterfactuals are taken: those towards `against` of one that leads to any class
/// (GANMEX, eq. 2), else those it has.
struct BaselineSource {
  std::string name;
  std::int64_t count = 1;  ///< B, of class-samples
};

/// zero, max, ...
const std::vector<std::string>& baseline_names();

/// Throws Error, before anything is computed, when `source` is neither a name nor a folder, or needs a class to hold
/// against and there is none.
void check_baseline_source(const BaselineSource& source, bool held_against);

/// Baselines of images x [N,H,W,C]: [N,H,W,C], or [N,B,H,W,C] of class-samples with B > 1. `classifier` was loaded from
/// `folder`.
Tensor make_baselines(const BaselineSource& source, const ClassifierRun& classifier,
                      const std::filesystem::path& folder, const Tensor& x, const nn::Question& question,
                      std::uint64_t seed);

}  // namespace counterfoil::app
