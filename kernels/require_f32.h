#pragma once

#include "kernels/error.h"
#include "kernels/view.h"

namespace counterfoil {

/// Floats are f32 on every device but the reference; kernels/checks.h has seen to it that all of a call's float arrays
/// share one dtype.
inline void require_f32(const char* name, const ConstView& view) {
  if (view.dtype != DType::f32) {
    fail("{}: expected f32 arrays (f64 is the reference device's), found {}{}", name, name_of(view.dtype),
         view.shape.to_string());
  }
}

}  // namespace counterfoil
