#pragma once

#include <cstdint>

#include "kernels/cuda/dialect.h"
#include "kernels/cuda/tensor_core.h"

// The inner loop of every product: a block of 256 threads makes kRows x kColumns sums
//   C(i, j) = sum over k < depth of combine(A(i, k), B(j, k)),
// streaming slices of kDepth through shared memory, twice buffered: while one slice is combined, the next is on its way
// from global memory to registers. Each thread owns a kThreadRows x kThreadColumns part of the sums, so a slice costs
// it kDepth (kThreadRows + kThreadColumns) shared loads for kDepth kThreadRows kThreadColumns multiply-adds. The sums
// run in ascending k, whatever the tile.
//
// Matrix products, the three convolutions (implicit GEMM: H. Vasudevan et al. 2017; no patch matrix is ever stored) and
// distances differ in where their operands' elements are:
//   struct Operand {
//     static constexpr bool kAlongDepth;   // four neighbours in memory are four k's of a row, else four rows of a k
//     struct Place;                        // what is to be known of a row (or of the first of four), found once
//     __device__ Place place(std::int64_t row) const;
//     __device__ float4 fetch(const Place& place, int k) const;  // zeros outside the matrix
//   };

namespace counterfoil::cuda {

inline constexpr int kTileThreads = 256;

template <int rows, int columns, int depth, int thread_rows, int thread_columns>
struct Tile {
  static constexpr int kRows = rows, kColumns = columns, kDepth = depth;
  static constexpr int kThreadRows = thread_rows, kThreadColumns = thread_columns;
  static constexpr int kRun = 4;                                             ///< neighbouring columns of a thread
  static constexpr int kBlocks = thread_rows * thread_columns > 16 ? 2 : 3;  ///< at once on a multiprocessor
  static constexpr bool kTensor = false;
  static constexpr int kThreadsAcross = columns / thread_columns;
  static_assert(rows / thread_rows * kThreadsAcross == kTileThreads && thread_rows % 4 == 0 && thread_columns % 4 == 0);

  /// Row of the tile of a thread's i-th row. Fours of rows lie apart, so that neighbouring threads read neighbouring
  /// fours of a slice: no bank is asked twice.
  __device__ static int row(int i) {
    const int down = static_cast<int>(threadIdx.x) / kThreadsAcross;
    return i / 4 * (rows * 4 / thread_rows) + down * 4 + i % 4;
  }
  __device__ static int column(int j) {
    const int across = static_cast<int>(threadIdx.x) % kThreadsAcross;
    return j / 4 * (columns * 4 / thread_columns) + across * 4 + j % 4;
  }
};

// 8 x 4 sums a thread: 12 shared floats for 32 multiply-adds. 8 x 8 would be 16 for 64, but with two blocks on a
// multiprocessor (128 registers a thread) ptxas spills 36 to 64 bytes on sm_90. The smaller tiles waste less where a
// matrix has few columns, as the first layers of a network do.
using LargeTile = Tile<128, 64, 8, 8, 4>;
using MediumTile = Tile<64, 64, 16, 4, 4>;
using NarrowTile = Tile<128, 32, 16, 4, 4>;
using SlimTile = Tile<256, 16, 8, 4, 4>;
using FlatTile = Tile<32, 128, 16, 4, 4>;

struct Product {
  __device__ __forceinline__ static float combine(float sum, float a, float b) { return sum + a * b; }
};
struct SquaredDifference {
  __device__ __forceinline__ static float combine(float sum, float a, float b) { return sum + (a - b) * (a - b); }
};

/// One operand's slices: from global memory to this thread's registers, then to shared memory.
template <int kRows, int kDepth, typename Operand>
class SliceReader {
 public:
  __device__ __forceinline__ SliceReader(const Operand& operand, std::int64_t first_row) : operand_(operand) {
#pragma unroll
    for (int i = 0; i < kFetches; ++i) {
      if (takes_part(i)) places_[i] = operand.place(first_row + row(i));
    }
  }

  __device__ __forceinline__ void fetch(int first_k) {
#pragma unroll
    for (int i = 0; i < kFetches; ++i) {
      if (takes_part(i)) values_[i] = operand_.fetch(places_[i], first_k + depth(i));
    }
  }

  /// slice[k][row]
  template <int kPitch>
  __device__ __forceinline__ void store(float (&slice)[kDepth][kPitch]) const {
#pragma unroll
    for (int i = 0; i < kFetches; ++i) {
      if (!takes_part(i)) continue;
      if constexpr (Operand::kAlongDepth) {
        slice[depth(i) + 0][row(i)] = values_[i].x;
        slice[depth(i) + 1][row(i)] = values_[i].y;
        slice[depth(i) + 2][row(i)] = values_[i].z;
        slice[depth(i) + 3][row(i)] = values_[i].w;
      } else {
        *reinterpret_cast<float4*>(&slice[depth(i)][row(i)]) = values_[i];
      }
    }
  }

  /// slice[row][k], rounded to bf16
  template <int kPitch>
  __device__ __forceinline__ void store(__nv_bfloat16 (&slice)[kRows][kPitch]) const {
#pragma unroll
    for (int i = 0; i < kFetches; ++i) {
      if (!takes_part(i)) continue;
      const float4 v = values_[i];
      if constexpr (Operand::kAlongDepth) {
        auto* const target = reinterpret_cast<__nv_bfloat162*>(&slice[row(i)][depth(i)]);
        target[0] = __floats2bfloat162_rn(v.x, v.y);
        target[1] = __floats2bfloat162_rn(v.z, v.w);
      } else {
        slice[row(i) + 0][depth(i)] = __float2bfloat16_rn(v.x);
        slice[row(i) + 1][depth(i)] = __float2bfloat16_rn(v.y);
        slice[row(i) + 2][depth(i)] = __float2bfloat16_rn(v.z);
        slice[row(i) + 3][depth(i)] = __float2bfloat16_rn(v.w);
      }
    }
  }

 private:
  static constexpr int kFours = kRows * kDepth / 4, kFetches = (kFours + kTileThreads - 1) / kTileThreads;

  __device__ __forceinline__ static int four(int i) {
    return i * kTileThreads + static_cast<int>(threadIdx.x);
  }
  __device__ __forceinline__ static bool takes_part(int i) {
    return kFours % kTileThreads == 0 || four(i) < kFours;
  }
  __device__ __forceinline__ static int row(int i) {
    return Operand::kAlongDepth ? four(i) / (kDepth / 4) : four(i) % (kRows / 4) * 4;
  }
  __device__ __forceinline__ static int depth(int i) {
    return Operand::kAlongDepth ? four(i) % (kDepth / 4) * 4 : four(i) / (kRows / 4);
  }

  const Operand& operand_;
  typename Operand::Place places_[kFetches];
  float4 values_[kFetches];
};

/// Adds the tile at (first_row, first_column) to the thread's sums. Every thread of the block calls it; when it returns
/// nobody reads the shared slices any more.
template <typename Tile, typename Combine, typename A, typename B>
__device__ __forceinline__ void accumulate(float (&sums)[Tile::kThreadRows][Tile::kThreadColumns], const A& a,
                                           const B& b, std::int64_t first_row, std::int64_t first_column, int depth) {
  // Four floats of padding keep 16-byte alignment and turn the banks from one k to the next.
  SHARED_ARRAY(float, a_slices, [2][Tile::kDepth][Tile::kRows + 4]);
  SHARED_ARRAY(float, b_slices, [2][Tile::kDepth][Tile::kColumns + 4]);
  SliceReader<Tile::kRows, Tile::kDepth, A> a_reader(a, first_row);
  SliceReader<Tile::kColumns, Tile::kDepth, B> b_reader(b, first_column);
  a_reader.fetch(0);
  b_reader.fetch(0);
  a_reader.store(a_slices[0]);
  b_reader.store(b_slices[0]);
  __syncthreads();
  int current = 0;
  for (int first_k = 0; first_k < depth; first_k += Tile::kDepth) {
    a_reader.fetch(first_k + Tile::kDepth);
    b_reader.fetch(first_k + Tile::kDepth);
#pragma unroll
    for (int k = 0; k < Tile::kDepth; ++k) {
      float a_values[Tile::kThreadRows], b_values[Tile::kThreadColumns];
#pragma unroll
      for (int i = 0; i < Tile::kThreadRows; i += 4) {
        const float4 four = *reinterpret_cast<const float4*>(&a_slices[current][k][Tile::row(i)]);
        a_values[i] = four.x, a_values[i + 1] = four.y, a_values[i + 2] = four.z, a_values[i + 3] = four.w;
      }
#pragma unroll
      for (int j = 0; j < Tile::kThreadColumns; j += 4) {
        const float4 four = *reinterpret_cast<const float4*>(&b_slices[current][k][Tile::column(j)]);
        b_values[j] = four.x, b_values[j + 1] = four.y, b_values[j + 2] = four.z, b_values[j + 3] = four.w;
      }
#pragma unroll
      for (int i = 0; i < Tile::kThreadRows; ++i) {
#pragma unroll
        for (int j = 0; j < Tile::kThreadColumns; ++j) {
          sums[i][j] = Combine::combine(sums[i][j], a_values[i], b_values[j]);
        }
      }
    }
    a_reader.store(a_slices[1 - current]);
    b_reader.store(b_slices[1 - current]);
    __syncthreads();
    current = 1 - current;
  }
}

/// The tile of tensor cores: eight warps, four down and two across, each with `fragments` x 4 of mma.m16n8k16.
template <int fragments>
struct TensorTile {
  static constexpr int kRows = 64 * fragments, kColumns = 64, kDepth = 32;
  static constexpr int kThreadRows = 2 * fragments, kThreadColumns = 8;
  static constexpr int kRun = 2;  ///< the fragments hold pairs of columns
  static constexpr int kBlocks = 2;
  static constexpr bool kTensor = true;

  __device__ static int row(int i) {
    const int warp = static_cast<int>(threadIdx.x) / 32, group = static_cast<int>(threadIdx.x) % 32 / 4;
    return warp / 2 * (16 * fragments) + i * 8 + group;
  }
  __device__ static int column(int j) {
    const int warp = static_cast<int>(threadIdx.x) / 32, member = static_cast<int>(threadIdx.x) % 4;
    return warp % 2 * 32 + j / 2 * 8 + member * 2 + j % 2;
  }
};

/// The same sums with operands rounded to bf16, on tensor cores: exact products, added in float.
template <typename T, typename A, typename B>
__device__ __forceinline__ void accumulate_bf16(float (&sums)[T::kThreadRows][T::kThreadColumns], const A& a,
                                                const B& b, std::int64_t first_row, std::int64_t first_column,
                                                int depth) {
  // A row is 16 words and 4 of padding: the 8 groups of a fragment fall on different banks (20 g mod 32).
  SHARED_ARRAY(__nv_bfloat16, a_slices, [2][T::kRows][T::kDepth + 8]);
  SHARED_ARRAY(__nv_bfloat16, b_slices, [2][T::kColumns][T::kDepth + 8]);
  SliceReader<T::kRows, T::kDepth, A> a_reader(a, first_row);
  SliceReader<T::kColumns, T::kDepth, B> b_reader(b, first_column);
  a_reader.fetch(0);
  b_reader.fetch(0);
  a_reader.store(a_slices[0]);
  b_reader.store(b_slices[0]);
  __syncthreads();
  const int member = static_cast<int>(threadIdx.x) % 4;
  int current = 0;
  for (int first_k = 0; first_k < depth; first_k += T::kDepth) {
    a_reader.fetch(first_k + T::kDepth);
    b_reader.fetch(first_k + T::kDepth);
    const auto pair = [&](const __nv_bfloat16* row, int k) {
      return *reinterpret_cast<const unsigned*>(row + k + 2 * member);
    };
#pragma unroll
    for (int k = 0; k < T::kDepth; k += 16) {
      unsigned b_words[4][2];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        // The column of a fragment of B is the lane's group, that of its sums a pair of the lane's member.
        const int warp = static_cast<int>(threadIdx.x) / 32, group = static_cast<int>(threadIdx.x) % 32 / 4;
        const __nv_bfloat16* const column = b_slices[current][warp % 2 * 32 + j * 8 + group];
        b_words[j][0] = pair(column, k), b_words[j][1] = pair(column, k + 8);
      }
#pragma unroll
      for (int i = 0; i < T::kThreadRows; i += 2) {
        const __nv_bfloat16* const upper = a_slices[current][T::row(i)];
        const __nv_bfloat16* const lower = a_slices[current][T::row(i + 1)];
        const unsigned a_words[4] = {pair(upper, k), pair(lower, k), pair(upper, k + 8), pair(lower, k + 8)};
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          float fragment[4] = {sums[i][2 * j], sums[i][2 * j + 1], sums[i + 1][2 * j], sums[i + 1][2 * j + 1]};
          mma_bf16(fragment, a_words, b_words[j]);
          sums[i][2 * j] = fragment[0], sums[i][2 * j + 1] = fragment[1];
          sums[i + 1][2 * j] = fragment[2], sums[i + 1][2 * j + 1] = fragment[3];
        }
      }
    }
    a_reader.store(a_slices[1 - current]);
    b_reader.store(b_slices[1 - current]);
    __syncthreads();
    current = 1 - current;
  }
}

/// The sums of one tile of either kind, from zero.
template <typename Tile, typename A, typename B>
__device__ __forceinline__ void multiply(float (&sums)[Tile::kThreadRows][Tile::kThreadColumns], const A& a, const B& b,
                                         std::int64_t first_row, std::int64_t first_column, int depth) {
#pragma unroll
  for (int i = 0; i < Tile::kThreadRows; ++i) {
#pragma unroll
    for (int j = 0; j < Tile::kThreadColumns; ++j) sums[i][j] = 0.0f;
  }
  if constexpr (Tile::kTensor) {
    accumulate_bf16<Tile>(sums, a, b, first_row, first_column, depth);
  } else {
    accumulate<Tile, Product>(sums, a, b, first_row, first_column, depth);
  }
}

}  // namespace counterfoil::cuda
