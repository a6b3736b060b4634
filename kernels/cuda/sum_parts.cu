#include "kernels/cuda/grid.h"
#include "kernels/cuda/tile_matrix.h"

namespace counterfoil::cuda {

namespace {

// One thread per sum: parts * 4 bytes read, 4 written, neighbours by neighbours. parts adds for 4 (parts + 1) bytes:
// bound by memory.
__global__ void __launch_bounds__(kThreads)
    sum_parts_kernel(float* y, const float* __restrict__ partial, std::int64_t size, std::int64_t columns, int parts,
                     std::int64_t matrices, Epilogue epilogue) {
  for (std::int64_t i = first_item(); i < size * matrices; i += item_stride()) {
    const float* const first = partial + i / size * size * parts + i % size;
    float sum = 0.0f;
    for (int part = 0; part < parts; ++part) sum += first[part * size];
    if (epilogue.bias != nullptr) sum += epilogue.bias[i % columns];
    y[i] = finished<true>(epilogue, sum);
  }
}

}  // namespace

void sum_parts(float* y, const float* partial, std::int64_t size, std::int64_t columns, int parts,
               std::int64_t matrices, const Epilogue& epilogue, cudaStream_t stream) {
  launch(sum_parts_kernel, blocks_for(size * matrices), kThreads, 0, stream, y, partial, size, columns, parts, matrices,
         epilogue);
}

}  // namespace counterfoil::cuda
