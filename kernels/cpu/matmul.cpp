#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/checks.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

namespace counterfoil {

namespace {

using namespace cpu;

constexpr double kLeastFlops = 2e6;
constexpr std::int64_t kMostTiles = 16;
// A sum this long feeds sgemm; partial results that stay in the second-level cache are cheap to add.
constexpr std::int64_t kLeastPart = 512, kFewResults = 1 << 15;
// sgemm's register tile is 48 x 8; a cut elsewhere wastes part of one.
constexpr std::int64_t kRowsUnit = 48, kColumnsUnit = 48;

// The extent of a tile along an axis cut in at most `pieces`, a multiple of `unit`.
std::int64_t tile_extent(std::int64_t extent, std::int64_t pieces, std::int64_t unit) {
  return chunk_count(chunk_count(extent, pieces), unit) * unit;
}

// The two operands of every product of a call: as they are, or rounded to bf16 in scratch memory.
class Operands {
 public:
  Operands(Device& device, const ConstView& a, const ConstView& b, bool transpose_a, bool transpose_b, Compute compute)
      : m_(a.shape[transpose_a ? -1 : -2]),
        n_(b.shape[transpose_b ? -2 : -1]),
        k_(a.shape[transpose_a ? -2 : -1]),
        transpose_a_(transpose_a),
        transpose_b_(transpose_b),
        plans_(compute == Compute::bf16 && has_bf16_hardware()),
        rounded_(device,
                 compute == Compute::bf16 ? element_bytes() * static_cast<std::size_t>(a.size() + b.size()) : 0),
        a_(static_cast<const std::byte*>(a.data)),
        b_(static_cast<const std::byte*>(b.data)) {
    if (compute == Compute::f32) return;
    auto* copy = rounded_.as<std::byte>();
    a_ = copy;
    b_ = copy + element_bytes() * static_cast<std::size_t>(a.size());
    for (const ConstView& operand : {a, b}) {
      const auto* from = operand.as<float>();
      parallel_for(operand.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
        if (plans_)
          round_to_bf16(reinterpret_cast<std::uint16_t*>(copy) + begin, from + begin, end - begin);
        else
          round_through_bf16(reinterpret_cast<float*>(copy) + begin, from + begin, end - begin);
      });
      copy += element_bytes() * static_cast<std::size_t>(operand.size());
    }
  }

  // A piece of one product: rows [i, i + m), columns [j, j + n), terms [first, first + k).
  struct Piece {
    std::int64_t batch = 0, i = 0, m, j = 0, n, first = 0, k;
  };

  std::size_t scratch_bytes(const Piece& piece, std::int64_t ld_y) const {
    return plans_ ? (matrix_plan(problem(piece, ld_y)).scratch_bytes() + 63) / 64 * 64 : 0;
  }

  void multiply(const Piece& piece, float* y, std::int64_t ld_y, void* scratch) const {
    const MatrixProblem product = problem(piece, ld_y);
    const std::int64_t a_at =
        piece.batch * m_ * k_ + (transpose_a_ ? piece.first * m_ + piece.i : piece.i * k_ + piece.first);
    const std::int64_t b_at =
        piece.batch * k_ * n_ + (transpose_b_ ? piece.j * k_ + piece.first : piece.first * n_ + piece.j);
    const std::byte* a = a_ + element_bytes() * static_cast<std::size_t>(a_at);
    const std::byte* b = b_ + element_bytes() * static_cast<std::size_t>(b_at);
    if (plans_)
      matrix_plan(product).run(y, a, b, scratch);
    else
      matrix_product(product, y, reinterpret_cast<const float*>(a), reinterpret_cast<const float*>(b));
  }

 private:
  std::size_t element_bytes() const { return plans_ ? sizeof(std::uint16_t) : sizeof(float); }
  MatrixProblem problem(const Piece& piece, std::int64_t ld_y) const {
    return {.m = piece.m,
            .n = piece.n,
            .k = piece.k,
            .ld_y = ld_y,
            .ld_a = transpose_a_ ? m_ : k_,
            .ld_b = transpose_b_ ? k_ : n_,
            .transpose_a = transpose_a_,
            .transpose_b = transpose_b_};
  }

  std::int64_t m_, n_, k_;
  bool transpose_a_, transpose_b_;
  bool plans_;  // bf16 arithmetic through oneDNN's primitive; f32 goes to its sgemm
  Scratch rounded_;
  const std::byte *a_, *b_;
};

}  // namespace

void CpuBackend::matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
                        Activation activation, double slope, Compute compute) {
  check::matmul(y, a, b, transpose_a, transpose_b, bias);
  require_f32("matmul", y);
  if (y.size() == 0) return;
  const std::int64_t batches = y.shape.rank() == 3 ? y.shape[0] : 1;
  const std::int64_t m = y.shape[-2], n = y.shape[-1], k = a.shape[transpose_a ? -2 : -1];
  const auto* bias_data = bias.as<float>();
  const auto slope_f32 = static_cast<float>(slope);
  if (k == 0) {
    epilogue_of_nothing(y.as<float>(), batches * m, n, bias_data, activation, slope_f32);
    return;
  }
  const Operands operands(device_, a, b, transpose_a, transpose_b, compute);
  const double flops = 2.0 * static_cast<double>(batches * m * n) * static_cast<double>(k);
  const std::int64_t wanted = std::clamp(static_cast<std::int64_t>(flops / kLeastFlops), std::int64_t{1}, kMostTiles);
  // A long sum for few results is cut along the sum, and the parts are added in order: the operands are then read once.
  const std::int64_t parts = std::min(wanted, k / kLeastPart);
  if (batches == 1 && parts > 1 && std::min(m, n) > 16 && m * n <= kFewResults) {
    const std::int64_t part_k = chunk_count(k, parts), results = m * n, count = chunk_count(k, part_k);
    const auto piece = [&](std::int64_t part) {
      return Operands::Piece{.m = m, .n = n, .first = part * part_k, .k = std::min(part_k, k - part * part_k)};
    };
    const std::size_t scratch_bytes =
        std::max(operands.scratch_bytes(piece(0), n), operands.scratch_bytes(piece(count - 1), n));
    const std::size_t partial_bytes = sizeof(float) * static_cast<std::size_t>(count * results);
    const Scratch scratch(device_, scratch_bytes * static_cast<std::size_t>(thread_count()) + partial_bytes);
    auto* partials = scratch.as<float>();
    parallel_for(count, 1, [&](std::int64_t part, std::int64_t) {
      operands.multiply(
          piece(part), partials + part * results, n,
          scratch.as<std::byte>() + partial_bytes + scratch_bytes * static_cast<std::size_t>(worker_index()));
    });
    parallel_for(results, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      float* out = y.as<float>();
      for (std::int64_t i = begin; i < end; ++i) out[i] = partials[i];
      for (std::int64_t part = 1; part < count; ++part)
        for (std::int64_t i = begin; i < end; ++i) out[i] += partials[part * results + i];
    });
    apply_epilogue(y.as<float>(), n, m, n, bias_data, activation, slope_f32);
    return;
  }
  // Otherwise the longer side of each product is cut.
  const std::int64_t pieces = chunk_count(wanted, batches);
  const std::int64_t rows = m >= n ? std::min(m, tile_extent(m, pieces, kRowsUnit)) : m;
  const std::int64_t columns = m >= n ? n : std::min(n, tile_extent(n, pieces, kColumnsUnit));
  const std::int64_t row_tiles = chunk_count(m, rows), column_tiles = chunk_count(n, columns);
  const std::int64_t tiles = batches * row_tiles * column_tiles;
  const auto piece = [&](std::int64_t tile) {
    const std::int64_t i = tile / column_tiles % row_tiles * rows, j = tile % column_tiles * columns;
    return Operands::Piece{.batch = tile / (row_tiles * column_tiles),
                           .i = i,
                           .m = std::min(rows, m - i),
                           .j = j,
                           .n = std::min(columns, n - j),
                           .k = k};
  };
  // The first tile and the last are of every size there is, since one side is whole.
  const std::size_t scratch_bytes =
      std::max(operands.scratch_bytes(piece(0), n), operands.scratch_bytes(piece(tiles - 1), n));
  const Scratch scratch(device_, scratch_bytes * static_cast<std::size_t>(thread_count()));
  parallel_for(tiles, chunk_count(tiles, wanted), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const Operands::Piece at = piece(tile);
      float* out = y.as<float>() + (at.batch * m + at.i) * n + at.j;
      operands.multiply(at, out, n, scratch.as<std::byte>() + scratch_bytes * static_cast<std::size_t>(worker_index()));
      apply_epilogue(out, n, at.m, at.n, bias_data == nullptr ? nullptr : bias_data + at.j, activation, slope_f32);
    }
  });
}

}  // namespace counterfoil
