#pragma once

#include "kernels/backend.h"
#include "kernels/device.h"

namespace counterfoil {

/// The CPU backend: vectorised loops over fixed chunks, and oneDNN for the matrix product and the convolutions. Float
/// arguments are f32. One .cpp per family; kernels/backend.h documents every primitive.
class CpuBackend final : public Backend {
 public:
  /// `device` lends scratch memory and must outlive the backend.
  explicit CpuBackend(Device& device) : device_(device) {}

#include "kernels/overrides.inc"

 private:
  Device& device_;
};

}  // namespace counterfoil
