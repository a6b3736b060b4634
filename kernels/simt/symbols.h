#pragma once

#include <string>
#include <vector>

namespace counterfoil::simt {

/// Where an instruction came from. What the build does not tell is empty or 0.
struct Place {
  std::string function;  ///< "reduce_kernel<float>", without arguments: the kernel, whatever was inlined into it
  std::string file;      ///< "reduce.cu"
  int line = 0;

  std::string to_string() const;  ///< "reduce.cu:42"
};

/// The places of code addresses in this process, found with binutils' addr2line. An address inside a function that was
/// inlined from kernels/simt gives the line that called it.
std::vector<Place> places_of(const std::vector<const void*>& addresses);

}  // namespace counterfoil::simt
