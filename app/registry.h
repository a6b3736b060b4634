#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "nn/classifier.h"
#include "nn/keys.h"
#include "nn/trainable.h"

namespace counterfoil::app {

/// What a trainable thing is built from, besides its own config. When a finished run is only loaded, the splits hold no
/// images but their extents and class names; factories must be content with that.
struct TrainingInputs {
  const data::Splits& splits;
  std::uint64_t seed;
  Device& device;
  /// The classifier of a finished `train classifier` run; it lives as long as what is made here. Throws Error that says
  /// why there is none.
  std::function<nn::Classifier&(const std::string& run_directory)> open_classifier;
  /// The same as a classifier of two classes: the named one, as class 1, against all the others.
  std::function<nn::Classifier&(const std::string& run_directory, const std::string& class_name)> open_one_against_all;
  /// Hands what another finished run has trained to `use`, for as long as that takes; complaints begin with the folder.
  std::function<void(const std::string& run_directory, const std::function<void(nn::Trainable&)>& use)> with_run;
};

/// One configurable trainable thing: its config struct and how it is made.
class Recipe {
 public:
  virtual ~Recipe() = default;
  virtual void declare(nn::Keys& keys) = 0;
  virtual std::unique_ptr<nn::Trainable> make(const TrainingInputs& inputs) = 0;
};

/// What `counterfoil train NAME` can train.
struct Kind {
  std::string name, summary;
  std::string paper;  ///< of an explainer, the work that it comes from; empty: it explains nothing
  std::int64_t default_steps = 1000;
  std::function<std::unique_ptr<Recipe>()> recipe;
};

/// Every kind: what the explainers need, then the explainers in the order of `counterfoil methods`. To add one, give
/// registry.cpp its config struct (with declare(nn::Keys&)) and a function that makes it; for an explainer of the usual
/// constructor one line does:
///
///   explainer<Syce, SyceConfig>("syce", kCharachon, "generators of stable and adversarial images", 6000)
///
/// An explainer explains the first classifier that its factory opens, by convention under the key "classifier".
const std::vector<Kind>& kinds();

/// Throws Error that names the nearest kind.
const Kind& kind_named(const std::string& name);

}  // namespace counterfoil::app
