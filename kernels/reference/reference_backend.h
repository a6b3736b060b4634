#pragma once

#include "kernels/backend.h"

namespace counterfoil {

/// The specification, and the oracle of the other backends: plain loops over f32 and f64 that follow the equations.
/// Values are computed and summed in double, in the order of the loops, and rounded once to the output's dtype;
/// products and sums are not contracted and elementary functions are the project's own (kernels/exact_math.h), so the
/// results are the same bits on any IEEE machine. One .cpp per family; kernels/backend.h documents every primitive.
class ReferenceBackend final : public Backend {
 public:
#include "kernels/overrides.inc"
};

}  // namespace counterfoil
