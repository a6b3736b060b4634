#pragma once

#include <cstddef>

// What memory holds that nobody wrote.

namespace counterfoil::simt {

inline constexpr int kPoison = 0xff;  ///< NaN as a float, -1 as an integer

/// Poison on a 256-byte boundary, or null where there is no memory for it. A piece of 256 MiB or more takes memory only
/// where it is written: until then its pages are those of one file, mapped again and again.
std::byte* allocate_poison(std::size_t bytes);
void release_poison(std::byte* data, std::size_t bytes);
/// Makes memory from allocate_poison poison again.
void poison(std::byte* data, std::size_t bytes);

}  // namespace counterfoil::simt
