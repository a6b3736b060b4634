#include <fmt/ranges.h>

#include "kernels/device.h"
#include "kernels/error.h"

namespace counterfoil {

std::vector<std::string> device_names() {
  return {"auto", "cpu", "reference"};
}

Device& open_device(std::string_view name) {
  if (name == "cpu" || name == "auto") return cpu_device();
  if (name == "reference") return reference_device();
  fail("device '{}': expected one of {}", name, fmt::join(device_names(), ", "));
}

}  // namespace counterfoil
