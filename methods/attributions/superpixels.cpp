#include "methods/attributions/superpixels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/error.h"

namespace counterfoil::methods {
namespace {

constexpr int kRounds = 10;

/// A grid of about `segments` cells over height x width pixels.
struct Grid {
  std::int64_t height, width, rows, columns;
  double side;  // S: of a segment of the size asked for

  Grid(std::int64_t h, std::int64_t w, std::int64_t segments) : height(h), width(w) {
    side = std::max(1.0, std::sqrt(static_cast<double>(h * w) / static_cast<double>(segments)));
    rows = std::max<std::int64_t>(1, std::llround(static_cast<double>(h) / side));
    columns = std::clamp<std::int64_t>(std::llround(static_cast<double>(segments) / static_cast<double>(rows)), 1, w);
  }
};

void check(const Tensor& images, std::int64_t segments) {
  const Shape& shape = images.shape();
  if (shape.rank() != 4 || shape.size() < 1) fail("superpixels: images {}, expected [N,H,W,C]", shape.to_string());
  if (segments < 1) fail("superpixels: {} segments, expected at least 1", segments);
}

double linear_light(double v) {
  v = std::clamp(v, 0.0, 1.0);
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

double lab_curve(double t) {
  return t > 216.0 / 24389 ? std::cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

/// A pixel's place in colour space, from its channels; unused axes are zero.
std::vector<double> colour_of(const double* v, std::int64_t channels) {
  if (channels == 1) return {116 * lab_curve(linear_light(v[0])) - 16};
  if (channels != 3) {
    std::vector<double> scaled(v, v + channels);
    for (double& value : scaled) value *= 100;
    return scaled;
  }
  const double r = linear_light(v[0]), g = linear_light(v[1]), b = linear_light(v[2]);
  // Each row sums to 1: white is (1, 1, 1), the light's own colour being divided out.
  const double x = lab_curve((0.412453 * r + 0.357580 * g + 0.180423 * b) / 0.950456);
  const double y = lab_curve(0.212671 * r + 0.715160 * g + 0.072169 * b);
  const double z = lab_curve((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

/// One image in colour space.
class Slic {
 public:
  Slic(const double* pixels, const Grid& grid, std::int64_t channels, double compactness)
      : grid_(grid), axes_(static_cast<std::size_t>(channels)), weight_(compactness / grid.side) {
    for (std::int64_t p = 0; p < grid.height * grid.width; ++p) {
      const std::vector<double> colour = colour_of(pixels + p * channels, channels);
      colours_.insert(colours_.end(), colour.begin(), colour.end());
    }
    for (std::int64_t r = 0; r < grid.rows; ++r) {
      for (std::int64_t c = 0; c < grid.columns; ++c) add_centre(r, c);
    }
  }

  std::vector<std::int32_t> labels() {
    for (int round = 0; round < kRounds; ++round) {
      assign();
      move_centres();
    }
    assign();
    return connected();
  }

 private:
  struct Centre {
    double row, column;
    std::vector<double> colour;
  };

  const double* colour(std::int64_t row, std::int64_t column) const {
    return &colours_[static_cast<std::size_t>(row * grid_.width + column) * axes_];
  }

  double squared(const double* a, const double* b) const {
    double sum = 0;
    for (std::size_t i = 0; i < axes_; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
  }

  /// |I(r + 1, c) - I(r - 1, c)|^2 + |I(r, c + 1) - I(r, c - 1)|^2
  double gradient(std::int64_t r, std::int64_t c) const {
    const auto row = [&](std::int64_t i) { return std::clamp<std::int64_t>(i, 0, grid_.height - 1); };
    const auto column = [&](std::int64_t i) { return std::clamp<std::int64_t>(i, 0, grid_.width - 1); };
    return squared(colour(row(r + 1), c), colour(row(r - 1), c)) +
           squared(colour(r, column(c + 1)), colour(r, column(c - 1)));
  }

  /// In the middle of a cell, or where the gradient is lowest around it: not on an edge. Small cells have no room.
  void add_centre(std::int64_t cell_row, std::int64_t cell_column) {
    const std::int64_t row = (2 * cell_row + 1) * grid_.height / (2 * grid_.rows);
    const std::int64_t column = (2 * cell_column + 1) * grid_.width / (2 * grid_.columns);
    std::int64_t best_row = row, best_column = column;
    const std::int64_t reach = grid_.side >= 3 ? 1 : 0;
    for (std::int64_t r = std::max<std::int64_t>(row - reach, 0); r <= std::min(row + reach, grid_.height - 1); ++r) {
      for (std::int64_t c = std::max<std::int64_t>(column - reach, 0); c <= std::min(column + reach, grid_.width - 1);
           ++c) {
        if (gradient(r, c) < gradient(best_row, best_column)) std::tie(best_row, best_column) = std::pair(r, c);
      }
    }
    const double* at = colour(best_row, best_column);
    centres_.push_back(
        {static_cast<double>(best_row), static_cast<double>(best_column), std::vector<double>(at, at + axes_)});
  }

  /// Every pixel to the nearest centre within S of it, the first of equals; -1 where there is none.
  void assign() {
    const auto pixels = static_cast<std::size_t>(grid_.height * grid_.width);
    std::vector<double> nearest(pixels, std::numeric_limits<double>::infinity());
    assigned_.assign(pixels, -1);
    for (std::size_t k = 0; k < centres_.size(); ++k) {
      const Centre& centre = centres_[k];
      const auto from = [&](double at) { return std::max<std::int64_t>(std::llround(std::ceil(at - grid_.side)), 0); };
      const auto to = [&](double at, std::int64_t extent) {
        return std::min<std::int64_t>(std::llround(std::floor(at + grid_.side)), extent - 1);
      };
      for (std::int64_t r = from(centre.row); r <= to(centre.row, grid_.height); ++r) {
        for (std::int64_t c = from(centre.column); c <= to(centre.column, grid_.width); ++c) {
          const double down = static_cast<double>(r) - centre.row, across = static_cast<double>(c) - centre.column;
          const double distance =
              squared(colour(r, c), centre.colour.data()) + weight_ * weight_ * (down * down + across * across);
          const auto p = static_cast<std::size_t>(r * grid_.width + c);
          if (distance >= nearest[p]) continue;
          nearest[p] = distance;
          assigned_[p] = static_cast<std::int32_t>(k);
        }
      }
    }
  }

  /// Each centre to the mean of its pixels; one without any stays.
  void move_centres() {
    std::vector<Centre> sums(centres_.size(), {0, 0, std::vector<double>(axes_, 0)});
    std::vector<double> counts(centres_.size(), 0);
    for (std::size_t p = 0; p < assigned_.size(); ++p) {
      if (assigned_[p] < 0) continue;
      const auto k = static_cast<std::size_t>(assigned_[p]), width = static_cast<std::size_t>(grid_.width);
      ++counts[k];
      sums[k].row += static_cast<double>(p / width);
      sums[k].column += static_cast<double>(p % width);
      for (std::size_t i = 0; i < axes_; ++i) sums[k].colour[i] += colours_[p * axes_ + i];
    }
    for (std::size_t k = 0; k < centres_.size(); ++k) {
      if (counts[k] == 0) continue;
      centres_[k] = {sums[k].row / counts[k], sums[k].column / counts[k], std::move(sums[k].colour)};
      for (double& value : centres_[k].colour) value /= counts[k];
    }
  }

  /// Calls visit(q) for the 4 neighbours of pixel p.
  template <typename Visit>
  void each_neighbour(std::size_t p, const Visit& visit) const {
    const auto width = static_cast<std::size_t>(grid_.width);
    if (p >= width) visit(p - width);
    if (p % width > 0) visit(p - 1);
    if (p % width + 1 < width) visit(p + 1);
    if (p + width < assigned_.size()) visit(p + width);
  }

  struct Piece {
    std::vector<std::size_t> pixels;
    std::vector<double> colour;  // sum over the pixels
  };

  void join(Piece& to, Piece& from) const {
    to.pixels.insert(to.pixels.end(), from.pixels.begin(), from.pixels.end());
    for (std::size_t i = 0; i < axes_; ++i) to.colour[i] += from.colour[i];
    from = {};
  }

  /// The connected pixels of p's label, which become piece `number` in `piece_of`.
  Piece flood(std::size_t p, std::int32_t number, std::vector<std::int32_t>& piece_of) const {
    Piece piece{{p}, std::vector<double>(axes_, 0)};
    piece_of[p] = number;
    for (std::size_t i = 0; i < piece.pixels.size(); ++i) {
      const std::size_t at = piece.pixels[i];
      for (std::size_t axis = 0; axis < axes_; ++axis) piece.colour[axis] += colours_[at * axes_ + axis];
      each_neighbour(at, [&](std::size_t q) {
        if (piece_of[q] >= 0 || assigned_[q] != assigned_[at]) return;
        piece_of[q] = number;
        piece.pixels.push_back(q);
      });
    }
    return piece;
  }

  /// The piece beside `number` that is nearest in mean colour; -1 where it is the whole image.
  std::int32_t nearest_neighbour(std::int32_t number, const std::vector<Piece>& pieces,
                                 const std::vector<std::int32_t>& piece_of) const {
    const auto mean = [&](const Piece& piece) {
      std::vector<double> colour = piece.colour;
      for (double& value : colour) value /= static_cast<double>(piece.pixels.size());
      return colour;
    };
    const std::vector<double> own = mean(pieces[static_cast<std::size_t>(number)]);
    std::pair<double, std::int32_t> best{std::numeric_limits<double>::infinity(), -1};
    for (const std::size_t p : pieces[static_cast<std::size_t>(number)].pixels) {
      each_neighbour(p, [&](std::size_t q) {
        const std::int32_t other = piece_of[q];
        if (other == number || other == best.second) return;
        const std::vector<double> colour = mean(pieces[static_cast<std::size_t>(other)]);
        best = std::min(best, std::pair(squared(own.data(), colour.data()), other));
      });
    }
    return best.second;
  }

  /// The assigned labels in connected pieces of at least S^2 / 4 pixels, numbered by first pixel.
  std::vector<std::int32_t> connected() const {
    std::vector<std::int32_t> piece_of(assigned_.size(), -1);
    std::vector<Piece> pieces;
    for (std::size_t p = 0; p < assigned_.size(); ++p) {
      if (piece_of[p] < 0) pieces.push_back(flood(p, static_cast<std::int32_t>(pieces.size()), piece_of));
    }
    const double least = grid_.side * grid_.side / 4;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (pieces[i].pixels.empty() || static_cast<double>(pieces[i].pixels.size()) >= least) continue;
      const std::int32_t to = nearest_neighbour(static_cast<std::int32_t>(i), pieces, piece_of);
      if (to < 0) break;
      for (const std::size_t p : pieces[i].pixels) piece_of[p] = to;
      join(pieces[static_cast<std::size_t>(to)], pieces[i]);
    }
    std::vector<std::int32_t> number_of(pieces.size(), -1);
    std::int32_t next = 0;
    for (std::int32_t& label : piece_of) {
      std::int32_t& number = number_of[static_cast<std::size_t>(label)];
      if (number < 0) number = next++;
      label = number;
    }
    return piece_of;
  }

  Grid grid_;
  std::size_t axes_;  // of the colour space
  double weight_;     // compactness / S
  std::vector<double> colours_;
  std::vector<Centre> centres_;
  std::vector<std::int32_t> assigned_;
};

}  // namespace

Tensor slic_superpixels(const Tensor& images, std::int64_t segments, double compactness) {
  check(images, segments);
  if (!(compactness > 0) || !std::isfinite(compactness))
    fail("superpixels: compactness {}, expected a number above 0", compactness);
  const Shape& shape = images.shape();
  const std::vector<double> values = images.to_doubles();
  if (!std::ranges::all_of(values, [](double v) { return std::isfinite(v); }))
    fail("superpixels: a value of the images is not finite");
  const Grid grid(shape[1], shape[2], segments);
  std::vector<std::int32_t> labels;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    Slic slic(values.data() + n * shape[1] * shape[2] * shape[3], grid, shape[3], compactness);
    const std::vector<std::int32_t> found = slic.labels();
    labels.insert(labels.end(), found.begin(), found.end());
  }
  return Tensor::from(labels, Shape{shape[0], shape[1], shape[2]}, images.device());
}

Tensor grid_superpixels(const Tensor& images, std::int64_t segments) {
  check(images, segments);
  const Shape& shape = images.shape();
  const Grid grid(shape[1], shape[2], segments);
  std::vector<std::int32_t> labels;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t r = 0; r < grid.height; ++r) {
      for (std::int64_t c = 0; c < grid.width; ++c) {
        const std::int64_t cell = r * grid.rows / grid.height * grid.columns + c * grid.columns / grid.width;
        labels.push_back(static_cast<std::int32_t>(cell));
      }
    }
  }
  return Tensor::from(labels, Shape{shape[0], shape[1], shape[2]}, images.device());
}

}  // namespace counterfoil::methods
