#pragma once

#include <cstdint>
#include <numeric>

#include "kernels/cpu/parallel.h"

namespace counterfoil::cpu {

/// Rows of `channels` floats seen as rows of `columns` floats, some whole number of pixels each, so that narrow images
/// fill whole vectors too: column j holds channel j % channels.
struct FoldedRows {
  FoldedRows(std::int64_t pixels, std::int64_t channels_) : channels(channels_), columns(channels_) {
    for (const std::int64_t width : {64, 16}) {
      const std::int64_t fold = width / std::gcd(channels, width);
      if (channels < 64 && channels * fold <= 512 && fold <= pixels) {
        columns = channels * fold;
        break;
      }
    }
    elements = pixels * channels;
    rows_per_chunk = std::max<std::int64_t>(64, 2 * kElementGrain / std::max<std::int64_t>(columns, 1));
  }

  std::int64_t rows() const { return chunk_count(elements, columns); }  ///< the last may be partly filled
  std::int64_t chunks() const { return chunk_count(rows(), rows_per_chunk); }

  std::int64_t channels, columns;
  std::int64_t elements;
  std::int64_t rows_per_chunk;
};

}  // namespace counterfoil::cpu
