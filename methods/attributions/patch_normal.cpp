#include "methods/attributions/patch_normal.h"

#include <algorithm>

#include <Eigen/Cholesky>

#include "kernels/error.h"
#include "tensor/random.h"

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kMostFeatures = 4096;  // a covariance of 128 MiB
constexpr std::int64_t kFittedAtOnce = 1024;  // patches
constexpr double kLeastVariance = 1e-6;

}  // namespace

PatchNormal::PatchNormal(std::span<const double> values, const Shape& images, std::int64_t side,
                         std::int64_t most_patches, std::uint64_t seed)
    : images_(images), side_(side), features_(side * side * images[3]) {
  const std::int64_t rows = images[1] - side + 1, columns = images[2] - side + 1;
  if (rows < 1 || columns < 1) {
    fail("prediction_difference: patches of {} x {} pixels, expected no more than the {} x {} of an image", side, side,
         images[1], images[2]);
  }
  if (features_ > kMostFeatures) {
    fail("prediction_difference: patches of {} x {} x {} features, expected {} in all or fewer", side, side, images[3],
         kMostFeatures);
  }
  const std::int64_t all = images[0] * rows * columns, fitted = std::min(all, most_patches);
  if (fitted < 2) fail("prediction_difference: {} patches to fit a distribution on, expected at least 2", fitted);
  std::tie(low_, high_) = std::pair(*std::ranges::min_element(values), *std::ranges::max_element(values));

  std::vector<std::int64_t> chosen(static_cast<std::size_t>(fitted));
  Random random(seed, "prediction_difference/patches");
  for (std::int64_t i = 0; i < fitted; ++i) {
    chosen[static_cast<std::size_t>(i)] =
        fitted == all ? i : static_cast<std::int64_t>(random.integer(static_cast<std::uint64_t>(all)));
  }
  const auto patches = [&](std::int64_t begin, std::int64_t end) {
    Matrix block(end - begin, features_);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t patch = chosen[static_cast<std::size_t>(i)];
      const std::int64_t row = patch / columns % rows, column = patch % columns;
      for (std::int64_t r = 0; r < side; ++r) {
        const std::int64_t first = ((patch / (rows * columns) * images[1] + row + r) * images[2] + column) * images[3];
        const std::int64_t length = side * images[3];
        std::copy_n(values.begin() + first, length, block.row(i - begin).begin() + r * length);
      }
    }
    return block;
  };
  mean_ = Eigen::VectorXd::Zero(features_);
  for (std::int64_t begin = 0; begin < fitted; begin += kFittedAtOnce)
    mean_ += patches(begin, std::min(begin + kFittedAtOnce, fitted)).colwise().sum().transpose();
  mean_ /= static_cast<double>(fitted);
  covariance_ = Matrix::Zero(features_, features_);
  for (std::int64_t begin = 0; begin < fitted; begin += kFittedAtOnce) {
    const Matrix centred = patches(begin, std::min(begin + kFittedAtOnce, fitted)).rowwise() - mean_.transpose();
    covariance_.noalias() += centred.transpose() * centred;
  }
  covariance_ /= static_cast<double>(fitted - 1);
  covariance_.diagonal().array() += kLeastVariance;
}

// With the covariance in blocks: gain = C_ir C_rr^-1, covariance C_ii - gain C_ri
const PatchNormal::Conditional& PatchNormal::conditional(std::int64_t row, std::int64_t column, std::int64_t rows,
                                                         std::int64_t columns) {
  const auto [place, is_new] = conditionals_.try_emplace({row, column, rows, columns});
  Conditional& made = place->second;
  if (!is_new) return made;
  for (std::int64_t i = 0; i < features_; ++i) {
    const std::int64_t r = i / images_[3] / side_ - row, c = i / images_[3] % side_ - column;
    (r >= 0 && r < rows && c >= 0 && c < columns ? made.inner : made.rest).push_back(i);
  }
  Matrix covariance = covariance_(made.inner, made.inner);
  made.gain = Matrix::Zero(covariance.rows(), static_cast<Eigen::Index>(made.rest.size()));
  if (!made.rest.empty()) {
    const Matrix across = covariance_(made.rest, made.inner);
    const Eigen::LLT<Matrix> rest(covariance_(made.rest, made.rest));
    made.gain = rest.solve(across).transpose();
    covariance -= made.gain * across;
  }
  made.factor = Eigen::LLT<Matrix>(covariance).matrixL();
  return made;
}

std::vector<double> PatchNormal::draw(std::span<const double> image, const Window& window,
                                      std::span<const double> normals) {
  const std::int64_t rows = window.row_end - window.row, columns = window.column_end - window.column;
  const std::int64_t top = std::clamp<std::int64_t>(window.row - (side_ - rows) / 2, 0, images_[1] - side_);
  const std::int64_t left = std::clamp<std::int64_t>(window.column - (side_ - columns) / 2, 0, images_[2] - side_);
  const Conditional& given = conditional(window.row - top, window.column - left, rows, columns);

  Eigen::VectorXd rest(static_cast<Eigen::Index>(given.rest.size()));
  for (std::size_t i = 0; i < given.rest.size(); ++i) {
    const std::int64_t pixel = given.rest[i] / images_[3], channel = given.rest[i] % images_[3];
    const std::int64_t at = ((top + pixel / side_) * images_[2] + left + pixel % side_) * images_[3] + channel;
    rest[static_cast<Eigen::Index>(i)] = image[static_cast<std::size_t>(at)] - mean_[given.rest[i]];
  }
  const Eigen::Map<const Eigen::VectorXd> z(normals.data(), static_cast<Eigen::Index>(normals.size()));
  Eigen::VectorXd drawn = given.gain * rest + given.factor * z;
  for (std::size_t i = 0; i < given.inner.size(); ++i) {
    double& value = drawn[static_cast<Eigen::Index>(i)];
    value = std::clamp(value + mean_[given.inner[i]], low_, high_);
  }
  return {drawn.begin(), drawn.end()};
}

}  // namespace counterfoil::methods
