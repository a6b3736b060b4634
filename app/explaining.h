#pragma once

#include "app/run.h"
#include "methods/explainer.h"

namespace counterfoil::app {

/// A finished run of an explainer, with the classifier that it explains.
struct ExplainerRun {
  Run run;
  methods::Explainer& explainer;
  nn::Classifier& classifier;
};
/// Throws Error when the run is of something that explains nothing.
ExplainerRun load_explainer(const std::filesystem::path& folder, Device& device);

/// What class 0 of one class against all the others is called.
inline constexpr const char* kAnyOther = "any other";
/// What the classes that the explained classifier decides between are called, in its order.
std::vector<std::string> decision_names(const ExplainerRun& explained);

/// The place of a class among decision_names(). Throws Error that names the nearest, and when the method explains
/// towards no class of one's choice.
int target_named(const ExplainerRun& explained, const std::string& name);

/// What the explainer says of images [N,H,W,C] in [0,1], N >= 1, a part at a time: "input", the method's own names,
/// "target" (i32 [N], the classes asked for: `targets`, or else the runners-up; not of a method that asks several
/// classes for anything but their decision), and "probabilities.<name>" [N,classes] of the classifier for each of them
/// that is an image.
std::map<std::string, Tensor> explain_images(ExplainerRun& explained, const Tensor& images, const Tensor& targets = {});

/// The data that the run was trained on, read again. Throws Error when they are not the same any more.
data::Splits splits_of(const Run& run, const std::filesystem::path& folder);
/// Their test images.
data::Dataset test_images(const Run& run, const std::filesystem::path& folder);
/// Those of several runs, at least one, with the folder of each. Throws Error unless they are the same for all.
data::Dataset common_test_images(const std::vector<ExplainerRun>& explainers,
                                 const std::vector<std::filesystem::path>& folders);

/// The places of the first `per_class` images decided 0, then of those decided 1, and so on.
std::vector<std::int32_t> choose_queries(const std::vector<std::int32_t>& decisions, int classes,
                                         std::int64_t per_class);

}  // namespace counterfoil::app
