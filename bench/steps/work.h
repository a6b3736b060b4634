#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/device.h"

namespace counterfoil::bench {

/// One step of training, or of CDeepEx one explanation, ready to run again and again: networks built, data at hand.
using Step = std::function<void()>;

/// The works of bench/peers/README.md by name.
std::vector<std::string> work_names();
/// Throws Error on an unknown name.
Step make_work(const std::string& name, Device& device);

}  // namespace counterfoil::bench
