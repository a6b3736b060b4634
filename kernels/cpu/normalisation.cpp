#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/norm_layout.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

namespace counterfoil {

namespace {

using namespace cpu;

// Rows summed in f32 before the sums move to f64.
constexpr std::int64_t kBlockRows = 64;

// Chunks so small that several make one unit of work.
std::int64_t chunks_per_task(const FoldedRows& rows) {
  const std::int64_t elements = std::min(rows.elements, rows.rows_per_chunk * rows.columns);
  return std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(elements, 1));
}

// Calls body(begin, width) for the columns in vectors' worths: four vectors, one vector, the rest.
template <typename Body>
void for_column_blocks(std::int64_t columns, Body&& body) {
  std::int64_t begin = 0;
  for (; begin + 4 * kLanes <= columns; begin += 4 * kLanes) body(begin, std::integral_constant<int, 4>{}, kLanes);
  for (; begin + kLanes <= columns; begin += kLanes) body(begin, std::integral_constant<int, 1>{}, kLanes);
  if (begin < columns) body(begin, std::integral_constant<int, 1>{}, columns - begin);
}

// The terms that one element adds to the two sums of a column.
struct Terms {
  Lanes first, second;
};

// sums[0][j] and sums[1][j] = the sums over `rows` rows of the terms of column j; terms(offset, column, lanes) makes
// those of the `lanes` elements at x[offset...].
template <typename MakeTerms>
void sum_columns(double* sums, const FoldedRows& layout, std::int64_t first_row, std::int64_t rows,
                 const MakeTerms& terms) {
  const std::int64_t columns = layout.columns;
  for_column_blocks(columns, [&](std::int64_t column, auto vectors, std::int64_t lanes) {
    constexpr int kVectors = vectors();
    std::int64_t whole_rows = rows;
    // The array may end inside its last row.
    while (whole_rows > 0 &&
           (first_row + whole_rows - 1) * columns + column + (kVectors - 1) * kLanes + lanes > layout.elements)
      --whole_rows;
    double totals[2][kVectors * kLanes] = {};
    for (std::int64_t block = 0; block < whole_rows; block += kBlockRows) {
      const std::int64_t end = std::min(block + kBlockRows, whole_rows);
      Lanes first[kVectors] = {}, second[kVectors] = {};
      for (std::int64_t row = block; row < end; ++row) {
        const std::int64_t offset = (first_row + row) * columns + column;
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          const Terms term = terms(offset + v * kLanes, column + v * kLanes, lanes);
          first[v] += term.first;
          second[v] += term.second;
        }
      }
      for (int v = 0; v < kVectors; ++v) {
        for (int lane = 0; lane < kLanes; ++lane) {
          totals[0][v * kLanes + lane] += static_cast<double>(first[v][lane]);
          totals[1][v * kLanes + lane] += static_cast<double>(second[v][lane]);
        }
      }
    }
    const std::int64_t width = (kVectors - 1) * kLanes + lanes;
    if (whole_rows < rows) {
      const std::int64_t offset = (first_row + whole_rows) * columns + column;
      for (std::int64_t i = 0; i < width && offset + i < layout.elements; ++i) {
        const Terms term = terms(offset + i, column + i, 1);
        totals[0][i] += static_cast<double>(term.first[0]);
        totals[1][i] += static_cast<double>(term.second[0]);
      }
    }
    std::copy_n(totals[0], width, sums + column);
    std::copy_n(totals[1], width, sums + columns + column);
  });
}

// Repeats per-channel values over the columns of a folded row.
void spread(float* out, const float* values, const FoldedRows& layout) {
  for (std::int64_t column = 0; column < layout.columns; column += layout.channels)
    std::copy_n(values, layout.channels, out + column);
}

}  // namespace

// Each chunk sums the deviations from its own first row, which is near the mean when the deviation is small against it,
// and chunks are joined in order by the parallel form of Welford's update (T. Chan, G. Golub, R. LeVeque, 1979).
void CpuBackend::norm_statistics(View mean, View variance, ConstView x) {
  check::norm_statistics(mean, variance, x);
  require_f32("norm_statistics", mean);
  if (mean.size() == 0) return;
  const std::int64_t groups = mean.shape[0], channels = mean.shape[1];
  const std::int64_t pixels = x.size() / channels / groups;
  const FoldedRows layout(pixels, channels);
  const std::int64_t columns = layout.columns, chunks = layout.chunks();
  const Scratch scratch(device_, static_cast<std::size_t>(groups * chunks * columns) * 2 * sizeof(double));
  auto* partials = scratch.as<double>();
  const auto partial = [&](std::int64_t group, std::int64_t chunk) {
    return partials + (group * chunks + chunk) * 2 * columns;
  };
  const auto first_row_of = [&](std::int64_t group, std::int64_t chunk) {
    return x.as<float>() + group * pixels * channels + chunk * layout.rows_per_chunk * columns;
  };
  parallel_for(groups * chunks, chunks_per_task(layout), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t group = task / chunks, first_row = task % chunks * layout.rows_per_chunk;
      const float* data = x.as<float>() + group * pixels * channels;
      const float* shift = data + first_row * columns;
      sum_columns(
          partial(group, task % chunks), layout, first_row, std::min(layout.rows_per_chunk, layout.rows() - first_row),
          [=](std::int64_t offset, std::int64_t column, std::int64_t lanes) __attribute__((always_inline)) {
            const Lanes deviation = load(data + offset, lanes) - load(shift + column, lanes);
            return Terms{deviation, deviation * deviation};
          });
    }
  });
  for (std::int64_t group = 0; group < groups; ++group) {
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      double count = 0, centre = 0, squares = 0;
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
        const float* shift = first_row_of(group, chunk);
        const std::int64_t elements =
            std::min(layout.rows_per_chunk * columns, layout.elements - chunk * layout.rows_per_chunk * columns);
        for (std::int64_t column = channel; column < std::min(columns, elements); column += channels) {
          const double n = static_cast<double>((elements - column - 1) / columns + 1);
          const double sum = partial(group, chunk)[column], sum_squares = partial(group, chunk)[columns + column];
          const double chunk_centre = static_cast<double>(shift[column]) + sum / n;
          const double chunk_squares = std::max(sum_squares - sum * sum / n, 0.0);
          const double step = chunk_centre - centre;
          squares += chunk_squares + step * step * count * n / (count + n);
          count += n;
          centre += step * n / count;
        }
      }
      mean.as<float>()[group * channels + channel] = static_cast<float>(centre);
      variance.as<float>()[group * channels + channel] = static_cast<float>(squares / count);
    }
  }
}

void CpuBackend::norm_apply(View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma, ConstView beta,
                            double epsilon, Activation activation, double slope) {
  check::norm_apply(y, x, mean, variance, gamma, beta);
  require_f32("norm_apply", y);
  if (y.size() == 0) return;
  const std::int64_t channels = x.shape[3];
  const std::int64_t segments = std::max(mean.shape[0], gamma.shape[0]);
  const std::int64_t pixels = x.size() / channels / segments;
  const FoldedRows layout(pixels, channels);
  const std::int64_t columns = layout.columns;
  const Scratch scratch(device_, static_cast<std::size_t>(segments * columns) * 3 * sizeof(float));
  auto* coefficients = scratch.as<float>();  // per segment: mean, scale, beta
  for (std::int64_t segment = 0; segment < segments; ++segment) {
    const std::int64_t s = mean.shape[0] == 1 ? 0 : segment, g = gamma.shape[0] == 1 ? 0 : segment;
    float* at = coefficients + segment * 3 * columns;
    spread(at, mean.as<float>() + s * channels, layout);
    spread(at + 2 * columns, beta.as<float>() + g * channels, layout);
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t channel = column % channels;
      const double deviation = std::sqrt(static_cast<double>(variance.as<float>()[s * channels + channel]) + epsilon);
      at[columns + column] =
          static_cast<float>(static_cast<double>(gamma.as<float>()[g * channels + channel]) / deviation);
    }
  }
  const std::int64_t chunks = layout.chunks();
  const auto slope_f32 = static_cast<float>(slope);
  pointwise::with_activation(activation, [&](auto chosen) {
    parallel_for(segments * chunks, chunks_per_task(layout), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t segment = task / chunks, first = task % chunks * layout.rows_per_chunk;
        const std::int64_t last = std::min(first + layout.rows_per_chunk, layout.rows());
        const float* centre = coefficients + segment * 3 * columns;
        const float* scale = centre + columns;
        const float* offset = scale + columns;
        const float* in = x.as<float>() + segment * layout.elements;
        float* out = y.as<float>() + segment * layout.elements;
        for (std::int64_t row = first; row < last; ++row) {
          const std::int64_t base = row * columns, width = std::min(columns, layout.elements - base);
#pragma omp simd
          for (std::int64_t i = 0; i < width; ++i) {
            const float value = (in[base + i] - centre[i]) * scale[i] + offset[i];
            out[base + i] = pointwise::activate<chosen(), vector_math::VectorMath>(value, slope_f32);
          }
        }
      }
    });
  });
}

// With g = d_y activation'(y) and xhat = (x - mean) / deviation: d_beta = sum g, d_gamma = sum g xhat, and
// d_x = (gamma g - mean(gamma g) - xhat mean(gamma g xhat)) / deviation, the means over one statistics group.
void CpuBackend::norm_backward(View d_x, View d_gamma, View d_beta, ConstView d_y, ConstView x, ConstView y,
                               ConstView mean, ConstView variance, ConstView gamma, double epsilon,
                               Activation activation, double slope, bool differentiate_statistics) {
  check::norm_backward(d_x, d_gamma, d_beta, d_y, x, y, mean, variance, gamma);
  require_f32("norm_backward", d_x);
  if (x.size() == 0) {
    fill(d_gamma, 0.0);
    fill(d_beta, 0.0);
    return;
  }
  const std::int64_t channels = x.shape[3];
  const std::int64_t statistics_groups = mean.shape[0], affine_groups = gamma.shape[0];
  const std::int64_t segments = std::max(statistics_groups, affine_groups);
  const std::int64_t pixels = x.size() / channels / segments;
  const FoldedRows layout(pixels, channels);
  const std::int64_t columns = layout.columns, chunks = layout.chunks();
  // f64: per task 2 sums per column; per segment 2 sums per channel, and their means over the statistics group.
  // f32: per segment and column mean, 1 / deviation, and the three coefficients of d_x.
  const std::int64_t doubles = segments * (chunks * 2 * columns + 2 * channels) + statistics_groups * 2 * channels;
  const Scratch scratch(device_, static_cast<std::size_t>(doubles) * sizeof(double) +
                                     static_cast<std::size_t>(segments * columns) * 5 * sizeof(float));
  auto* partials = scratch.as<double>();
  double* sums = partials + segments * chunks * 2 * columns;
  double* means = sums + segments * 2 * channels;
  auto* coefficients = reinterpret_cast<float*>(partials + doubles);
  const auto deviation_of = [&](std::int64_t group, std::int64_t channel) {
    return std::sqrt(static_cast<double>(variance.as<float>()[group * channels + channel]) + epsilon);
  };
  for (std::int64_t segment = 0; segment < segments; ++segment) {
    const std::int64_t s = statistics_groups == 1 ? 0 : segment;
    float* at = coefficients + segment * 5 * columns;
    spread(at, mean.as<float>() + s * channels, layout);
    for (std::int64_t column = 0; column < columns; ++column)
      at[columns + column] = static_cast<float>(1.0 / deviation_of(s, column % channels));
  }
  const auto slope_f32 = static_cast<float>(slope);
  pointwise::with_activation(activation, [&](auto chosen) {
    parallel_for(segments * chunks, chunks_per_task(layout), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t segment = task / chunks, first = task % chunks * layout.rows_per_chunk;
        const std::int64_t rows = std::min(layout.rows_per_chunk, layout.rows() - first);
        const float* centre = coefficients + segment * 5 * columns;
        const float* inverse = centre + columns;
        const float* x_at = x.as<float>() + segment * layout.elements;
        const float* y_at = y.as<float>() + segment * layout.elements;
        const float* d_y_at = d_y.as<float>() + segment * layout.elements;
        sum_columns(
            partials + task * 2 * columns, layout, first,
            rows, [=](std::int64_t offset, std::int64_t column, std::int64_t lanes) __attribute__((always_inline)) {
              Lanes g = load(d_y_at + offset, lanes);
              if constexpr (chosen() != Activation::identity) {
                const Lanes out = load(y_at + offset, lanes);
#pragma GCC unroll 16
                for (int i = 0; i < kLanes; ++i) g[i] *= pointwise::activation_derivative<chosen()>(out[i], slope_f32);
              }
              const Lanes xhat =
                  (load(x_at + offset, lanes) - load(centre + column, lanes)) * load(inverse + column, lanes);
              return Terms{g, g * xhat};
            });
      }
    });
  });
  // Sums in the order of segments, chunks and columns.
  std::fill_n(sums, segments * 2 * channels, 0.0);
  for (std::int64_t segment = 0; segment < segments; ++segment) {
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      const double* partial = partials + (segment * chunks + chunk) * 2 * columns;
      for (int which = 0; which < 2; ++which) {
        double* into = sums + (segment * 2 + which) * channels;
        for (std::int64_t column = 0; column < columns; ++column)
          into[column % channels] += partial[which * columns + column];
      }
    }
  }
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    double total[2] = {0, 0};
    for (std::int64_t segment = 0; segment < segments; ++segment) {
      const double g = sums[segment * 2 * channels + channel], g_xhat = sums[(segment * 2 + 1) * channels + channel];
      total[0] += g;
      total[1] += g_xhat;
      if (affine_groups > 1) {
        d_beta.as<float>()[segment * channels + channel] = static_cast<float>(g);
        d_gamma.as<float>()[segment * channels + channel] = static_cast<float>(g_xhat);
      }
    }
    if (affine_groups == 1) {
      d_beta.as<float>()[channel] = static_cast<float>(total[0]);
      d_gamma.as<float>()[channel] = static_cast<float>(total[1]);
    }
  }
  std::fill_n(means, statistics_groups * 2 * channels, 0.0);
  if (differentiate_statistics) {
    const double per_group = static_cast<double>(x.size() / channels / statistics_groups);
    for (std::int64_t segment = 0; segment < segments; ++segment) {
      const std::int64_t s = statistics_groups == 1 ? 0 : segment, a = affine_groups == 1 ? 0 : segment;
      for (std::int64_t i = 0; i < 2 * channels; ++i) {
        means[s * 2 * channels + i] += sums[segment * 2 * channels + i] *
                                       static_cast<double>(gamma.as<float>()[a * channels + i % channels]) / per_group;
      }
    }
  }
  // d_x = at[2] g - at[3] - at[4] xhat, with the common factor 1 / deviation inside the coefficients.
  for (std::int64_t segment = 0; segment < segments; ++segment) {
    const std::int64_t s = statistics_groups == 1 ? 0 : segment, a = affine_groups == 1 ? 0 : segment;
    float* at = coefficients + segment * 5 * columns;
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t channel = column % channels;
      const double inverse = 1.0 / deviation_of(s, channel);
      const double* group_means = means + s * 2 * channels;
      at[2 * columns + column] =
          static_cast<float>(static_cast<double>(gamma.as<float>()[a * channels + channel]) * inverse);
      at[3 * columns + column] = static_cast<float>(group_means[channel] * inverse);
      at[4 * columns + column] = static_cast<float>(group_means[channels + channel] * inverse);
    }
  }
  pointwise::with_activation(activation, [&](auto chosen) {
    parallel_for(segments * chunks, chunks_per_task(layout), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t segment = task / chunks, first = task % chunks * layout.rows_per_chunk;
        const std::int64_t last = std::min(first + layout.rows_per_chunk, layout.rows());
        const float* centre = coefficients + segment * 5 * columns;
        const std::int64_t start = segment * layout.elements;
        for (std::int64_t row = first; row < last; ++row) {
          const std::int64_t base = start + row * columns;
          const std::int64_t width = std::min(columns, layout.elements - row * columns);
          const float* in = x.as<float>() + base;
          const float* out = y.as<float>() + base;
          const float* upstream = d_y.as<float>() + base;
          float* d_in = d_x.as<float>() + base;
#pragma omp simd
          for (std::int64_t i = 0; i < width; ++i) {
            const float g = upstream[i] * pointwise::activation_derivative<chosen()>(out[i], slope_f32);
            const float xhat = (in[i] - centre[i]) * centre[columns + i];
            d_in[i] = centre[2 * columns + i] * g - centre[3 * columns + i] - centre[4 * columns + i] * xhat;
          }
        }
      }
    });
  });
}

}  // namespace counterfoil
