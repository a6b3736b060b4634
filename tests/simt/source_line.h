#pragma once

#include <fstream>
#include <stdexcept>
#include <string>

namespace counterfoil::simt_test {

/// "planted.cu:17", the line of tests/simt/planted.cu that ends with `mark`.
inline std::string planted_line(const std::string& mark) {
  std::ifstream file(COUNTERFOIL_SOURCE_DIR "/tests/simt/planted.cu");
  int number = 1;
  for (std::string line; std::getline(file, line); ++number) {
    if (line.ends_with("// " + mark)) return "planted.cu:" + std::to_string(number);
  }
  throw std::runtime_error("no line marked " + mark);
}

}  // namespace counterfoil::simt_test
