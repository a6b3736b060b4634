#include "kernels/simt/tensor_core.h"

#include <bit>

#include "kernels/simt/block.h"

namespace counterfoil::simt {
namespace {

/// What a lane brings to a matrix product.
struct Fragments : Collective {
  float* d;
  const unsigned *a, *b;
};

const Fragments& of(const Collective* const (&lanes)[32], int lane) {
  return *static_cast<const Fragments*>(lanes[lane]);
}

float half_of(unsigned word, int index) {
  return std::bit_cast<float>(index == 0 ? word << 16 : word & 0xffff0000u);
}

float a_bf16(const Collective* const (&lanes)[32], int row, int k) {
  return half_of(of(lanes, row % 8 * 4 + k % 8 / 2).a[row / 8 + 2 * (k / 8)], k % 2);
}
float b_bf16(const Collective* const (&lanes)[32], int k, int column) {
  return half_of(of(lanes, column * 4 + k % 8 / 2).b[k / 8], k % 2);
}
// The hardware ignores the low 13 bits of a word.
float tf32(unsigned word) {
  return std::bit_cast<float>(word & 0xffffe000u);
}
float a_tf32(const Collective* const (&lanes)[32], int row, int k) {
  return tf32(of(lanes, row % 8 * 4 + k % 4).a[row / 8 + 2 * (k / 4)]);
}
float b_tf32(const Collective* const (&lanes)[32], int k, int column) {
  return tf32(of(lanes, column * 4 + k % 4).b[k / 4]);
}

template <int kDepth, auto kA, auto kB>
void multiply(const Collective* const (&lanes)[32]) {
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      float sum = of(lanes, lane).d[i];
      for (int k = 0; k < kDepth; ++k) sum += kA(lanes, row, k) * kB(lanes, k, column);
      of(lanes, lane).d[i] = sum;
    }
  }
}

void meet(const Fragments& fragments, const char* file, int line) {
  BlockRunner::running()->warp_meet(WarpOp::collective, ~0u, std::bit_cast<std::uintptr_t>(&fragments), 0, file, line);
}

}  // namespace

void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* file, int line) {
  meet({{&multiply<16, a_bf16, b_bf16>}, d, a, b}, file, line);
}
void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* file, int line) {
  meet({{&multiply<8, a_tf32, b_tf32>}, d, a, b}, file, line);
}

void async_copy(void* target, const void* source, int bytes, bool valid) {
  BlockRunner::running()->async_copies().copies.push_back({target, source, bytes, valid});
}

void async_commit() {
  BlockRunner::AsyncCopies& queue = BlockRunner::running()->async_copies();
  queue.groups.push_back(queue.copies.size());
}

bool next_async_copy(int pending, AsyncCopy& copy) {
  BlockRunner::AsyncCopies& queue = BlockRunner::running()->async_copies();
  const auto kept = static_cast<std::size_t>(pending);
  const std::size_t end = queue.groups.size() > kept ? queue.groups[queue.groups.size() - kept - 1] : 0;
  if (queue.done >= end) return false;
  copy = queue.copies[queue.done++];
  return true;
}

}  // namespace counterfoil::simt
