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
    {"distance_l1", "L1", "mean absolute difference of counterfactual and query"},
    {"distance_l2", "L2", "root mean square difference of counterfactual and query"},
    {"mask_size", "mask", "mean of the masks, of methods that draw which part may change, 0 to 1"},
    {"seconds_per_image", nullptr, "wall time of an explanation"},
    {"peak_memory_mib", nullptr, "the most that the explanations held on the device at once"},
};

}  // namespace counterfoil::app
