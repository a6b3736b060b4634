#pragma once

#include "kernels/cuda/dialect.h"

// Kernels with one bug each. The line where it is to be reported ends with a comment "BUG: name".
namespace counterfoil::simt_test {

enum class Bug {
  none,
  missing_barrier,
  block_race,
  cross_block,
  missing_syncwarp,
  overflow,
  divergent_barrier,
  skipped_barrier,
  not_in_mask,
  exited_lane,
  exits_later,
  shuffle_deadlock,
  divergent_shuffle,
  uninitialised,
  unshuffled,
  too_much_shared,
  misaligned,
};

/// Runs the kernel with the bug on `blocks` blocks of 64 threads; data [64 * blocks].
void plant(Bug bug, float* data, int blocks, cudaStream_t stream);

/// One warp reads x [1024] in order and every 32nd element, and writes down a column of a shared tile with rows of 32
/// and of 33; out [128].
void traffic(float* out, const float* x, cudaStream_t stream);

}  // namespace counterfoil::simt_test
