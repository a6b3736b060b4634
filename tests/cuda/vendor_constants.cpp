#include <cstdio>

#include "kernels/cuda/vendor/cublas_api.h"
#include "kernels/cuda/vendor/cudnn_api.h"

// Compares every constant to which the emulation's headers give a value with CUDA's, cuBLAS's and cuDNN's own. The list
// is made from those headers: a COMPARE for each.

int main() {
  int compared = 0, wrong = 0;
  const auto compare = [&](const char* name, long long library, long long emulation) {
    ++compared;
    if (library == emulation) return;
    ++wrong;
    std::printf("%s is %lld in the library, %lld in the emulation\n", name, library, emulation);
  };
#define COMPARE(name, emulation) compare(#name, static_cast<long long>(name), emulation);
#include <vendor_constants.inc>
  std::printf("%d constants compared\n", compared);
  return wrong == 0 && compared > 100 ? 0 : 1;
}
