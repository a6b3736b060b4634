#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "methods/attributions/attribution.h"

namespace counterfoil::app {

/// What `counterfoil attribute NAME` can compute.
struct AttributionKind {
  std::string name, paper, summary;
  std::function<std::unique_ptr<methods::AttributionMethod>()> make;  ///< with its keys at their defaults
};

/// Every attribution method, in the order of `counterfoil attributions`. To add one, give attribution_registry.cpp its
/// class.
const std::vector<AttributionKind>& attribution_kinds();

/// Throws Error that names the nearest.
const AttributionKind& attribution_named(const std::string& name);

}  // namespace counterfoil::app
