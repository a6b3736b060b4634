#pragma once

#include "kernels/error.h"
#include "kernels/view.h"

namespace counterfoil::cpu {

/// Floats are f32 on this device; kernels/checks.h has seen to it that all of a call's float arrays share one dtype.
inline void require_f32(const char* name, const ConstView& view) {
  if (view.dtype != DType::f32) {
    fail("{}: expected f32 arrays on the cpu device, found {}{}", name, name_of(view.dtype), view.shape.to_string());
  }
}

}  // namespace counterfoil::cpu
