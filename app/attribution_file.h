#pragma once

#include <filesystem>
#include <string>

#include "nn/score.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

/// Attributions of images as `counterfoil attribute` writes them, or others do. Of the names in a safetensors file only
/// the first two have to be there:
///   input          f32 [N,H,W,C] in [0,1]
///   attribution    f32 [N,H,W,C], or a map [N,H,W,1]
///   classes        i32 [N], the class explained; else the one that the classifier decides
///   against        i32 [N], the class it is held against
///   baseline       f32 [N,H,W,C] in [0,1]; or
///   baselines      f32 [N,B,H,W,C], a set for each image
/// What `counterfoil explain` writes does, too: its map stands for the attribution, target for against and
/// counterfactual for the baseline. `counterfoil attribute` also writes
///   scores         f32 [N], S(x) (nn/score.h)
///   probabilities  f32 [N,K] of the images
///   gap            f32 [N], of methods that promise completeness (methods/attributions/attribution.h)
/// and as metadata method, settings, scale, baseline, seed, class_names and classifier, the digest of its weights.
struct AttributionFile {
  std::string label;  ///< what the metadata say of method and baseline, else the file's name: one line
  Tensor input, attribution;
  nn::Question question;   ///< .classes undefined where the file has none
  Tensor baselines;        ///< [N,B,H,W,C], undefined where the file has none
  std::string classifier;  ///< digest; may be empty

  /// The first baseline of each image, [N,H,W,C].
  Tensor baseline() const;
};

/// Throws Error with the file's name when tensors are missing, do not fit each other, are of another dtype, not finite
/// or outside [0,1] where that is said above (but for rounding), or take more than 4 GiB.
AttributionFile read_attributions(const std::filesystem::path& file, Device& device);

/// The tensor "annotations" of a safetensors file, or its only one: [N,H,W,1] of any dtype, not 0 where the evidence
/// is. Throws Error with the file's name on another shape, numbers that are not finite, or more than
/// 4 GiB.
Tensor read_annotations(const std::filesystem::path& file, Device& device);

}  // namespace counterfoil::app
