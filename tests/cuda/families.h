#pragma once

#include <string>
#include <vector>

#include "tests/cases/case.h"

namespace counterfoil::cuda_test {

struct Family {
  const char* name;
  std::vector<cases::Case> (*all)();

  std::vector<cases::Case> small() const {
    std::vector<cases::Case> chosen;
    for (cases::Case& one : all()) {
      if (!one.large) chosen.push_back(std::move(one));
    }
    return chosen;
  }
};

inline const Family kFamilies[] = {
    {"moving", cases::moving_cases},       {"pointwise", cases::pointwise_cases},
    {"reduction", cases::reduction_cases}, {"loss", cases::loss_cases},
    {"matmul", cases::matmul_cases},       {"convolution", cases::convolution_cases},
    {"pooling", cases::pooling_cases},     {"normalisation", cases::normalisation_cases},
    {"random", cases::random_cases},       {"optimiser", cases::optimiser_cases},
    {"image", cases::image_cases},
};

}  // namespace counterfoil::cuda_test
