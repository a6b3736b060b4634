#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "nn/score.h"

// What stands for "the feature is not there". Baselines are of x's shape [N,H,W,C], dtype and device, sets of them
// [N,B,H,W,C]. Those that depend on the class are meant for one against one (GANMEX, methods/ganmex.h, sections 2.2
// and 2.3): images of the class that each image's is held against. Of a question that holds it against none they are
// images of any other class.
//
// Training images come with the class of each, i32 as many as there are images. GANMEX takes those "belonging to the
// target class", their labels; the baseline that it looks for belongs to that class with respect to the classifier
// (section 3, objective 1), and the nearest image of a label is the likeliest to be misclassified. So give
// decided_classes(), or labels to do as the paper does.

namespace counterfoil::methods {

Tensor zero_baseline(const Tensor& x);  ///< black: 0
Tensor max_baseline(const Tensor& x);   ///< white: 1
/// x filtered by a Gaussian of deviation `sigma` > 0 in pixels, the border repeated (autograd/image.h, as in BBMP).
Tensor blur_baseline(const Tensor& x, double sigma);

/// The classifier's decision on each image, a part of them at a time.
std::vector<std::int32_t> decided_classes(nn::Classifier& classifier, const data::Dataset& images, Device& device);

/// MDTS, the minimum-distance training sample (GANMEX, section 2.2, after Bach et al. 2015): of the training images of
/// the class held against, the nearest to x in Euclidean distance, the first of equals. Throws Error when there is
/// none, and where shapes do not fit.
Tensor mdts_baseline(const Tensor& x, const nn::Question& question, const data::Dataset& train,
                     const std::vector<std::int32_t>& classes);

/// For each image `count` different training images of the class held against, drawn uniformly: the sets of expected
/// gradients and DeepSHAP. What is drawn for image n depends on `seed` and n alone. Throws Error when the class has
/// fewer, and where shapes do not fit.
Tensor class_samples(const Tensor& x, const nn::Question& question, const data::Dataset& train,
                     const std::vector<std::int32_t>& classes, std::int64_t count, std::uint64_t seed);

/// The same from all training images: the set of expected gradients of one class against all (Erion et al. 2019).
Tensor all_samples(const Tensor& x, const data::Dataset& train, std::int64_t count, std::uint64_t seed);

}  // namespace counterfoil::methods
