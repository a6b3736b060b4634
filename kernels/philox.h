#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/backend.h"
#include "kernels/exact_math.h"
#include "kernels/host_device.h"

// Counter-based random numbers: Philox 4x32-10 of J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011. A block of four words is a pure function of (seed, stream, block), so every element of an
// array can be drawn by itself, on any device and in any order, and is the same everywhere. Floating-point steps are
// written with fma where a product meets a sum: a compiler that contracts and one that does not give the same bits.

namespace counterfoil {

namespace philox {

struct Block {
  std::uint32_t lane[4];
};

/// Ten rounds over a 128-bit counter under a 64-bit key: each round multiplies two of the words by constants, mixes the
/// high halves with the key and the other two words, and the key advances by a Weyl sequence.
COUNTERFOIL_HOST_DEVICE inline Block encrypt(Block counter, std::uint32_t key0, std::uint32_t key1) {
  std::uint32_t c0 = counter.lane[0], c1 = counter.lane[1], c2 = counter.lane[2], c3 = counter.lane[3];
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<std::uint32_t>(product1 >> 32) ^ c1 ^ key0;
    c1 = static_cast<std::uint32_t>(product1);
    c2 = static_cast<std::uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c3 = static_cast<std::uint32_t>(product0);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// Words 4 * index to 4 * index + 3 of the stream.
COUNTERFOIL_HOST_DEVICE inline Block block(RandomKey key, std::uint64_t index) {
  const Block counter = {{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                          static_cast<std::uint32_t>(key.stream), static_cast<std::uint32_t>(key.stream >> 32)}};
  return encrypt(counter, static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32));
}

/// One word of the stream. Loops that need neighbours call block() once for four.
COUNTERFOIL_HOST_DEVICE inline std::uint32_t word(RandomKey key, std::uint64_t index) {
  return block(key, index / 4).lane[index % 4];
}

/// u in [0, 1): the upper 24 bits, exact in float and double.
COUNTERFOIL_HOST_DEVICE inline double to_uniform(std::uint32_t word) {
  return static_cast<double>(word >> 8) * 0x1p-24;
}

/// low + range * u, range = high - low.
COUNTERFOIL_HOST_DEVICE inline double uniform(std::uint32_t word, double low, double range) {
  return ::fma(range, to_uniform(word), low);
}

/// Dropout keeps an element when u >= probability, that is when the upper 24 bits reach this number: a comparison of
/// integers, the same in every precision.
COUNTERFOIL_HOST_DEVICE inline std::uint32_t keep_threshold(double probability) {
  return static_cast<std::uint32_t>(::ceil(probability * 0x1p24));
}
COUNTERFOIL_HOST_DEVICE inline bool keep(std::uint32_t word, std::uint32_t threshold) {
  return (word >> 8) >= threshold;
}

/// c[first] + c[first + 1] r + ... by Horner's rule. Unrolled by the template, so that loops over it vectorise.
template <int first, int size>
COUNTERFOIL_HOST_DEVICE double polynomial(const double (&c)[size], double r) {
  if constexpr (first == size - 1) {
    return c[first];
  } else {
    return ::fma(polynomial<first + 1>(c, r), r, c[first]);
  }
}

/// (c0 + c1 r + ... + c7 r^7) / (1 + d1 r + ... + d7 r^7)
COUNTERFOIL_HOST_DEVICE inline double rational7(const double (&c)[8], const double (&d)[7], double r) {
  return polynomial<0>(c, r) / ::fma(polynomial<0>(d, r), r, 1.0);
}

/// The inverse of the normal distribution function in two parts, by M. Wichura, "Algorithm AS 241: the percentage
/// points of the normal distribution", Applied Statistics 37, 1988 (PPND16, about 1e-16 relative): for a probability
/// 1/2 + centred with |centred| <= 0.425, and the magnitude for a probability `tail` below 0.075. Words end at tails of
/// 2^-33, where the algorithm's third part, below exp(-25), is never needed.
COUNTERFOIL_HOST_DEVICE inline double normal_centre(double centred) {
  constexpr double a[8] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                           1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                           3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr double b[7] = {4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
                           2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
                           5.2264952788528545610e+3};
  return centred * rational7(a, b, ::fma(-centred, centred, 0.180625));
}
COUNTERFOIL_HOST_DEVICE inline double normal_tail(double tail) {
  constexpr double c[8] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                           3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                           2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double d[7] = {2.05319162663775882187e0,  1.67638483018380384940e0,  6.89767334985100004550e-1,
                           1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                           1.05075007164441684324e-9};
  return rational7(c, d, ::sqrt(-exact::log(tail)) - 1.6);
}

/// The standard normal number whose distribution function is (word + 1/2) / 2^32. Symmetric: the complement of a word
/// gives the negative number. Range +-6.34.
COUNTERFOIL_HOST_DEVICE inline double to_normal(std::uint32_t word) {
  // Both are exact: multiples of 2^-33 below 1.
  const double lower = (static_cast<double>(word) + 0.5) * 0x1p-32;
  const double centred = lower - 0.5;
  if (centred >= -0.425 && centred <= 0.425) return normal_centre(centred);
  return centred < 0 ? -normal_tail(lower) : normal_tail(1.0 - lower);
}

COUNTERFOIL_HOST_DEVICE inline double normal(std::uint32_t word, double mean, double deviation) {
  return ::fma(deviation, to_normal(word), mean);
}

}  // namespace philox
}  // namespace counterfoil
