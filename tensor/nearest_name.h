#pragma once

#include <span>
#include <string>
#include <string_view>

namespace counterfoil {

/// The candidate with the smallest edit distance (insertions, deletions, substitutions) to `name`, the first of equals;
/// empty without candidates.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// `name` as it can stand in a one-line message: in single quotes, control characters and bytes that are no UTF-8 as
/// \xNN, at most 80 bytes of it.
std::string in_quotes(std::string_view name);

}  // namespace counterfoil
