#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace counterfoil::data {

/// Two classes whose only difference is known: the ground truth for counterfactuals and explanation maps.
struct SyntheticPairs {
  Dataset images;
  Dataset twins;                    ///< each image as it would be in the other class: the perfect counterfactual
  std::vector<std::uint8_t> masks;  ///< [N,H,W], 1 where image and twin differ
};

enum class Difference : std::uint8_t {
  stroke,  ///< a ring is open to the right in class 0 and closed in class 1: 3 against 8 made plain
  blob,    ///< class 1 has a disc in one of the corners, at random
};

/// count images [28,28,1], classes alternating, on a noisy background, with a randomly placed shape that both classes
/// share. The same arguments give the same bytes.
SyntheticPairs synthetic_pairs(Difference difference, std::int64_t count, std::uint64_t seed);

/// The digits in one of three colours each, drawn at random and independent of the label (GANMEX, coloured MNIST):
/// class names and labels stay.
struct ColouredDigits {
  Dataset digits;                    ///< [N,H,W,3]
  std::vector<std::int32_t> colour;  ///< [N], 0 red, 1 green, 2 blue
};
ColouredDigits coloured_digits(const Dataset& grey, std::uint64_t seed);

}  // namespace counterfoil::data
