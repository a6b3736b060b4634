#pragma once

// CUDA's short vectors and dim3, with CUDA's names, layout and alignment, in the global namespace as CUDA has them.

#define COUNTERFOIL_SIMT_VECTORS(T, base)                           \
  struct base##1 {                                                  \
    T x;                                                            \
  };                                                                \
  struct alignas(2 * sizeof(T)) base##2 {                           \
    T x, y;                                                         \
  };                                                                \
  struct base##3 {                                                  \
    T x, y, z;                                                      \
  };                                                                \
  struct alignas(4 * sizeof(T) < 16 ? 4 * sizeof(T) : 16) base##4 { \
    T x, y, z, w;                                                   \
  };                                                                \
  constexpr base##1 make_##base##1(T x) {                           \
    return {x};                                                     \
  }                                                                 \
  constexpr base##2 make_##base##2(T x, T y) {                      \
    return {x, y};                                                  \
  }                                                                 \
  constexpr base##3 make_##base##3(T x, T y, T z) {                 \
    return {x, y, z};                                               \
  }                                                                 \
  constexpr base##4 make_##base##4(T x, T y, T z, T w) {            \
    return {x, y, z, w};                                            \
  }

COUNTERFOIL_SIMT_VECTORS(signed char, char)
COUNTERFOIL_SIMT_VECTORS(unsigned char, uchar)
COUNTERFOIL_SIMT_VECTORS(short, short)
COUNTERFOIL_SIMT_VECTORS(unsigned short, ushort)
COUNTERFOIL_SIMT_VECTORS(int, int)
COUNTERFOIL_SIMT_VECTORS(unsigned int, uint)
COUNTERFOIL_SIMT_VECTORS(long long, longlong)
COUNTERFOIL_SIMT_VECTORS(unsigned long long, ulonglong)
COUNTERFOIL_SIMT_VECTORS(float, float)
COUNTERFOIL_SIMT_VECTORS(double, double)

#undef COUNTERFOIL_SIMT_VECTORS

struct dim3 {
  unsigned int x = 1, y = 1, z = 1;
  constexpr dim3(unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1) : x(x_), y(y_), z(z_) {}
};
