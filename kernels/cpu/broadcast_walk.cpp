#include "kernels/cpu/broadcast_walk.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"

namespace counterfoil::cpu {

namespace {

constexpr std::int64_t kShortRun = 64;  // inner extents below this are expanded
constexpr std::int64_t kBuffer = 1024;  // elements, small enough for two operands to stay in the first cache

// Row r of `out` is `length` copies of values[r].
template <int Length>
void repeat_each(float* out, const float* values, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (int i = 0; i < Length; ++i) out[r * Length + i] = values[r];
  }
}

void repeat_each(float* out, const float* values, std::int64_t rows, std::int64_t length) {
  switch (length) {
    case 2:
      return repeat_each<2>(out, values, rows);
    case 3:
      return repeat_each<3>(out, values, rows);
    case 4:
      return repeat_each<4>(out, values, rows);
    case 8:
      return repeat_each<8>(out, values, rows);
    case 16:
      return repeat_each<16>(out, values, rows);
    default:
      for (std::int64_t r = 0; r < rows; ++r) std::fill_n(out + r * length, length, values[r]);
  }
}

}  // namespace

BroadcastWalk::BroadcastWalk(const Shape& out, std::span<const ConstView> operands)
    : operand_count_(static_cast<int>(operands.size())), size_(out.size()) {
  std::array<std::int64_t, 2> stride{1, 1};
  for (std::size_t k = 0; k < operands.size(); ++k) data_[k] = operands[k].as<float>();
  for (int axis = out.rank() - 1; axis >= 0; --axis) {
    const std::int64_t extent = out[axis];
    if (extent == 1) continue;
    Axis next{extent, {}};
    bool alike = rank_ > 0;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const bool moves = operands[k].shape[axis] != 1;
      next.stride[k] = moves ? stride[k] : 0;
      if (moves) stride[k] *= extent;
      alike = alike && moves == (axes_[static_cast<std::size_t>(rank_ - 1)].stride[k] != 0);
    }
    if (alike) {
      axes_[static_cast<std::size_t>(rank_ - 1)].extent *= extent;
    } else {
      axes_[static_cast<std::size_t>(rank_++)] = next;
    }
  }
  if (rank_ == 0) {
    axes_[0] = {1, {1, 1}};
    rank_ = 1;
  }
}

void BroadcastWalk::run_blocks(BlockFunction function, void* body) const {
  if (size_ == 0) return;
  const std::int64_t inner = axes_[0].extent;
  if (inner >= kShortRun || rank_ == 1) {
    parallel_for(size_, kElementGrain,
                 [&](std::int64_t begin, std::int64_t end) { run_long(begin, end, function, body); });
  } else {
    parallel_for(size_ / inner, kElementGrain / inner,
                 [&](std::int64_t begin, std::int64_t end) { run_short(begin, end, function, body); });
  }
}

BroadcastWalk::Position BroadcastWalk::locate(std::int64_t index, int skipped_axes) const {
  Position position;
  for (int i = skipped_axes; i < rank_; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    position.index[axis] = index % axes_[axis].extent;
    index /= axes_[axis].extent;
    for (std::size_t k = 0; k < 2; ++k) position.offset[k] += position.index[axis] * axes_[axis].stride[k];
  }
  return position;
}

void BroadcastWalk::advance(Position& position, int skipped_axes) const {
  for (int i = skipped_axes; i < rank_; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    for (std::size_t k = 0; k < 2; ++k) position.offset[k] += axes_[axis].stride[k];
    if (++position.index[axis] < axes_[axis].extent) return;
    for (std::size_t k = 0; k < 2; ++k) position.offset[k] -= axes_[axis].extent * axes_[axis].stride[k];
    position.index[axis] = 0;
  }
}

void BroadcastWalk::run_long(std::int64_t begin, std::int64_t end, BlockFunction function, void* body) const {
  const std::int64_t inner = axes_[0].extent;
  Position position = locate(begin / inner, 1);
  std::int64_t column = begin % inner;
  BroadcastBlock block;
  while (begin < end) {
    block.offset = begin;
    block.length = std::min(inner - column, end - begin);
    for (std::size_t k = 0; k < static_cast<std::size_t>(operand_count_); ++k) {
      block.operand[k] = data_[k] + position.offset[k] + column * axes_[0].stride[k];
      block.repeated[k] = axes_[0].stride[k] == 0;
    }
    function(body, block);
    begin += block.length;
    column = 0;
    advance(position, 1);
  }
}

// Rows are the innermost runs, counted over the whole output. An operand that stands still along the row axis has one
// row, repeated; one that stands still inside the row has one element per row.
void BroadcastWalk::run_short(std::int64_t begin, std::int64_t end, BlockFunction function, void* body) const {
  const std::int64_t inner = axes_[0].extent;
  const std::int64_t rows = axes_[1].extent;
  const std::int64_t most_rows = kBuffer / inner;
  alignas(64) std::array<std::array<float, kBuffer>, 2> buffer;
  Position position = locate(begin / rows, 2);
  std::int64_t row = begin % rows;
  BroadcastBlock block;
  while (begin < end) {
    const std::int64_t stop = std::min(rows, row + end - begin);
    for (std::size_t k = 0; k < static_cast<std::size_t>(operand_count_); ++k) {
      if (axes_[1].stride[k] != 0) continue;
      const float* source = data_[k] + position.offset[k];
      const std::int64_t filled = std::min(most_rows, stop - row) * inner;
      for (std::int64_t i = 0; i < inner; ++i) buffer[k][static_cast<std::size_t>(i)] = source[i];
      for (std::int64_t done = inner; done < filled;) {  // doubling
        const std::int64_t more = std::min(done, filled - done);
        std::copy_n(buffer[k].data(), more, buffer[k].data() + done);
        done += more;
      }
      block.operand[k] = buffer[k].data();
    }
    begin += stop - row;
    std::int64_t offset = (begin - stop) * inner;
    for (; row < stop; row += most_rows) {
      const std::int64_t count = std::min(most_rows, stop - row);
      for (std::size_t k = 0; k < static_cast<std::size_t>(operand_count_); ++k) {
        if (axes_[1].stride[k] == 0) continue;
        const float* source = data_[k] + position.offset[k] + row * axes_[1].stride[k];
        if (axes_[0].stride[k] == 0) {
          repeat_each(buffer[k].data(), source, count, inner);
          source = buffer[k].data();
        }
        block.operand[k] = source;
      }
      block.offset = offset + row * inner;
      block.length = count * inner;
      function(body, block);
    }
    row = 0;
    advance(position, 2);
  }
}

}  // namespace counterfoil::cpu
