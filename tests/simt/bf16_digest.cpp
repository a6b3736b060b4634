#include <bit>
#include <cstdint>
#include <cstdio>
#include <initializer_list>

#if defined(BF16_FROM_CUDA)
#include <cuda_bf16.h>
#else
#include "kernels/simt/bf16.h"
#endif

// Prints an FNV-1a digest of the bf16 of every float whose low 16 bits are near a rounding boundary, and of the float
// of every bf16.
int main() {
  std::uint64_t digest = 0xcbf29ce484222325u;
  const auto add = [&](std::uint32_t word) { digest = (digest ^ word) * 0x100000001b3u; };
  for (std::uint32_t high = 0; high <= 0xffffu; ++high) {
    for (const std::uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const auto x = std::bit_cast<float>(high << 16 | low);
      add(__bfloat16_as_ushort(__float2bfloat16(x)));
      add(__bfloat16_as_ushort(__floats2bfloat162_rn(1.0f, x).y));
    }
    const __nv_bfloat16 value = __ushort_as_bfloat16(static_cast<unsigned short>(high));
    add(std::bit_cast<std::uint32_t>(__bfloat162float(value)));
  }
  std::printf("%016llx\n", static_cast<unsigned long long>(digest));
}
