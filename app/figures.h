#pragma once

namespace counterfoil::app {

/// A figure that `evaluate` reports.
struct FigureMeaning {
  const char* key;      ///< in its JSON
  const char* name;     ///< on the report's page; null: not shown there
  const char* meaning;  ///< what is measured, its range, and which end is good
};

inline constexpr FigureMeaning kFigures[] = {
    {"acc_stable", "acc_s",
     "part of the stable images, or else reconstructions, that f decides like the query; 1 is best"},
    {"acc_adversarial", "acc_a", "part of the counterfactuals that f still decides like the query; 0 is best"},
    {"acc_target", "acc_t", "part of the counterfactuals that f decides as asked; 1 is best"},
    {"flip_rate", nullptr, "part of the counterfactuals that f decides otherwise than the query; 1 is best"},
    {"fd_mu", "FD_mu",
     "Frechet distance of counterfactuals and real images of the other side, in the embedding's codes; 0 is best"},
    {"js", "JS",
     "Jensen-Shannon distance of the same, in the plane of the codes' two principal components, 0 to 1; 0 is best"},
    {"lsc", "LSC",
     "part of the queries nearer in the identity's codes to their own counterfactual than to any other's towards the "
     "same class; 1 is best, and it falls with the number of candidates"},
    {"lsc_candidates", "LSC's N",
     "how many counterfactuals LSC looks for the nearest among, in the direction with the fewest"},
    {"fva", "FVA",
     "part of the counterfactuals within a cosine distance of 0.5 of their query in the identity's codes, which stand "
     "in for the face network of the measure; 1 is best"},
    {"distance_l1", "L1", "mean absolute difference of counterfactual and query"},
    {"distance_l2", "L2", "root mean square difference of counterfactual and query"},
    {"mask_size", "mask", "mean of the masks, of methods that draw which part may change, 0 to 1"},
    {"mask_nonzero", "mask > 0", "part of the masks' elements that are not 0 in 8 bits; small is localised"},
    {"seconds_per_image", nullptr, "wall time of an explanation"},
    {"peak_memory_mib", nullptr, "the most that the explanations held on the device at once"},
};

/// What `substitutability` reports.
inline constexpr FigureMeaning kSubstitutabilityFigures[] = {
    {"ceiling", nullptr, "accuracy on the real test images of a classifier trained on real images"},
    {"accuracy", nullptr, "the same, trained with counterfactuals in place of real images of a class or of all"},
    {"percent_of_ceiling", nullptr, "the accuracy in percent of the ceiling; 100 is best"},
};

}  // namespace counterfoil::app
