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

/// What the explainer says of images [N,H,W,C] in [0,1], N >= 1, a part at a time: "input", the method's own names, and
/// "probabilities.<name>" [N,classes] of the classifier for each of them that is an image.
std::map<std::string, Tensor> explain_images(ExplainerRun& explained, const Tensor& images);

/// The test images of the data that the run was trained on, read again. Throws Error when they are not the same any
/// more.
data::Dataset test_images(const Run& run, const std::filesystem::path& folder);

}  // namespace counterfoil::app
