#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "app/run.h"
#include "methods/attributions/attribution.h"

namespace counterfoil::app {

/// Where the baselines of an attribution come from: a name of baseline_names(), or the run directory of an explainer of
/// the same classifier, whose counterfactuals are taken: those towards `against` of one that leads to any class
/// (GANMEX, eq. 2), else those it has. One of class c against all others leads to c where that is `against`, and to any
/// other class where c is explained without one.
struct BaselineSource {
  std::string name;
  std::int64_t count = 1;  ///< B, of samples and class-samples
};

/// zero, max, blur, mdts, samples (training images, the same for all), class-samples (training images decided as
/// `against`, drawn for each image).
const std::vector<std::string>& baseline_names();

/// What is asked for, or else what a method usually takes: zero, or where it takes several samples. Throws Error when
/// `name` is neither a name nor a folder, or the method takes none, or not so many.
BaselineSource baseline_source(const std::string& name, std::optional<std::int64_t> count, methods::BaselineUse use);

/// Baselines of images x [N,H,W,C]: [N,H,W,C], or [N,B,H,W,C] with B > 1. `classifier` was loaded from
/// `folder`. Throws Error when an explainer cannot lead to what is asked.
Tensor make_baselines(const BaselineSource& source, const ClassifierRun& classifier,
                      const std::filesystem::path& folder, const Tensor& x, const nn::Question& question,
                      std::uint64_t seed);

}  // namespace counterfoil::app
