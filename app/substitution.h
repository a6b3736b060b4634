#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "app/explaining.h"

namespace counterfoil::app {

/// Training images led across the decision boundary: 8-bit images under the names that --images knows, and as their
/// labels the classes that each was led to.
using CrossedImages = std::map<std::string, data::Dataset>;

/// What the explainer makes of every image of `train`, by the names asked for: "counterfactual" always; where the
/// method puts parts of another image into the query, that one as "transformed" and the counterfactual as "composite"
/// too (ExplainGAN). Values are rounded to 8 bits, as the real images are. `progress` is called after each part with
/// the images done. Throws Error on another name, and where the explainer leads to no class that can be named.
CrossedImages cross(ExplainerRun& explained, const data::Dataset& train, const std::vector<std::string>& names,
                    const std::function<void(std::int64_t)>& progress);

/// `train` with the real images labelled with one of `classes` taken out, and in their place every crossed image that
/// was led to that class. Throws Error where there is none for a class.
data::Dataset substitute(const data::Dataset& train, const data::Dataset& crossed,
                         const std::vector<std::int32_t>& classes);

/// How well a classifier learns from substitutes: Samangouei et al., "ExplainGAN", ECCV 2018, section 5.5, tables 2, 3.
struct Substitutability {
  std::string run, method, classifier;
  std::int64_t steps = 0, seed = 0, train_images = 0, test_images = 0;
  double ceiling = 0;  ///< accuracy on the real test images, trained on the real training images
  struct Row {
    std::string images;                 ///< what was substituted: counterfactual, composite, transformed
    std::vector<std::string> replaced;  ///< names of the classes whose real images it replaced
    std::int64_t substitutes = 0, train_images = 0;
    double accuracy = 0;            ///< on the same test images
    double percent_of_ceiling = 0;  ///< R of "R%-substitutable"
  };
  std::vector<Row> rows;
};

/// JSON with run, method, classifier (its run directory), steps, seed, train_images, test_images, ceiling, and
/// "substitutions": for each an object with images, replaced (a list), substitutes, train_images, accuracy and
/// percent_of_ceiling.
std::string to_json(const Substitutability& measured);

}  // namespace counterfoil::app
