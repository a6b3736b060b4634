#pragma once

#include <string>

#include "tests/cases/case.h"

namespace counterfoil::cases {

struct Report {
  bool passed = true;
  double error = 0;          ///< the largest found, in the measure of the check
  std::string message = {};  ///< where it was found, if the check failed
};

/// Outputs and first-order gradients of the case in f32 on a device against the reference in f64, within the case's
/// tolerance; integers exactly.
Report compare_devices(const Case& subject, Device& device);

/// First-order gradients on the reference in f64, both fused and as recorded for a second order, against central
/// differences.
Report check_gradient(const Case& subject);

/// The gradient of a random projection of the gradient, against central differences of the fused gradient.
Report check_second_order(const Case& subject);

/// Outputs and gradients in f32, bit for bit the same when run again and with 1, 2 and 3 threads.
Report check_repeat(const Case& subject, Device& device);

}  // namespace counterfoil::cases
