#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/source.h"

namespace counterfoil::data {

/// The ways to split a source:
///   standard             a tenth of the training file validates; the test file tests. Without a test file another
///                        tenth of the training file tests.
///   syce                 Charachon et al., supplement C.1: 80 / 20 of the training file; the first half of the test
///                        file tests (on the full MNIST, 3 against 8: 9585, 2397, 1003 images)
///   explaingan           Samangouei et al. 2018, section 4: 50,000 of the 60,000 training images train and 8,000
///                        validate; the test file tests
///   explaingan-classifier  the same, but the 2,000 remaining images train: the paper's classifier-training set
std::vector<std::string> split_names();

struct SplitOptions {
  std::string name = "standard";
  std::uint64_t seed = 0;  ///< of the shuffle; a classifier and its explainer want the same
};

struct SplitSource {
  Splits splits;
  /// A JSON object that says which image of which file went where, with a checksum of each part's pixels and labels:
  /// the same text means the same data.
  std::string description;
};

/// Throws Error when the source does not suffice: no image left for a part, too small a training file, no test file.
SplitSource split(const Source& source, const SplitOptions& options);

}  // namespace counterfoil::data
