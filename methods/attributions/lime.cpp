#include "methods/attributions/lime.h"

#include <algorithm>
#include <cmath>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "methods/attributions/copies.h"
#include "methods/attributions/perturbation.h"
#include "methods/attributions/superpixels.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kMostStates = std::int64_t{1} << 26;  // 512 MiB

/// [samples, segments]: 1 shown, 0 switched off; the first row is the image itself.
std::vector<double> draw_states(std::int64_t samples, std::int64_t segments, std::uint64_t seed, std::int64_t n) {
  Random random(seed, fmt::format("lime/{}", n));
  std::vector<double> states = random.uniform(Shape{samples, segments}, 0, 1, reference_device()).to_doubles();
  for (double& state : states) state = state < 0.5 ? 0 : 1;
  std::fill_n(states.begin(), segments, 1.0);
  return states;
}

// pi(z') = sqrt(exp(-D(1, z')^2 / kernel_width^2))
std::vector<double> kernel(const std::vector<double>& states, std::int64_t segments, double kernel_width) {
  std::vector<double> weights;
  for (auto row = states.begin(); row != states.end(); row += segments) {
    const auto ones = static_cast<double>(std::count(row, row + segments, 1.0));
    const double distance = 1 - std::sqrt(ones / static_cast<double>(segments));
    weights.push_back(std::sqrt(std::exp(-distance * distance / (kernel_width * kernel_width))));
  }
  return weights;
}

/// The mean colour of each pixel's segment: x [1,H,W,C] again.
Tensor segment_means(const Tensor& x, const std::vector<std::int32_t>& labels, std::int64_t segments) {
  const auto channels = static_cast<std::size_t>(x.shape()[3]);
  std::vector<double> values = x.to_doubles();
  std::vector<double> sums(static_cast<std::size_t>(segments) * channels, 0), counts(sums.size(), 0);
  const auto slot = [&](std::size_t i) {
    return static_cast<std::size_t>(labels[i / channels]) * channels + i % channels;
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[slot(i)] += values[i];
    ++counts[slot(i)];
  }
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = sums[slot(i)] / counts[slot(i)];
  return tensor_like(x, values, x.shape());
}

}  // namespace

void Lime::declare(nn::Keys& keys) {
  keys.add("superpixels", superpixels, {"slic", "grid"}, "how an image is cut into segments");
  keys.add("segments", segments, 1, 2048, "of an image, about");
  keys.add("compactness", compactness, 1e-3, 1e3, "of slic: greater makes squarer segments");
  keys.add("hidden", hidden, {"baseline", "mean"}, "what a switched-off segment shows: the baseline, its mean colour");
  keys.add("samples", samples, 2, 1000000, "copies of an image with segments switched off");
  keys.add("kernel_width", kernel_width, 1e-3, 1e3, "of the weights, in cosine distance");
  keys.add("penalty", penalty, 0, 1e6, "of the ridge regression");
}

Attribution Lime::compute(const AttributionCall& call) const {
  const Shape& shape = call.x.shape();
  const std::int64_t pixels = shape[1] * shape[2];
  std::vector<double> values;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    const Tensor image = slice(call.x, 0, n, n + 1);
    const std::vector<std::int32_t> labels =
        (superpixels == "grid" ? grid_superpixels(image, segments) : slic_superpixels(image, segments, compactness))
            .to_vector<std::int32_t>();
    const std::int64_t count = *std::ranges::max_element(labels) + 1;
    if (samples * count > kMostStates)
      fail("LIME: {} samples of {} segments, expected a product of at most {}", samples, count, kMostStates);
    const Tensor off =
        call.baselines.defined() ? slice(call.baselines, 0, n, n + 1) : segment_means(image, labels, count);
    const std::vector<double> states = draw_states(samples, count, call.seed, call.place(n));
    const std::vector<double> scores =
        copy_scores(call.classifier, call.question, n, samples, nn::images_at_once(shape), [&](auto begin, auto end) {
          Replaced replaced(end - begin, shape);
          for (std::int64_t i = begin; i < end; ++i) {
            for (std::int64_t p = 0; p < pixels; ++p) {
              const std::int32_t label = labels[static_cast<std::size_t>(p)];
              if (states[static_cast<std::size_t>(i * count + label)] == 0)
                replaced.mark(i - begin, p / shape[2], p % shape[2]);
            }
          }
          return replaced.in(image, off);
        });
    const std::vector<double> weights = weighted_ridge(states, scores, kernel(states, count, kernel_width), penalty);
    for (const std::int32_t label : labels)
      values.insert(values.end(), static_cast<std::size_t>(shape[3]), weights[static_cast<std::size_t>(label)]);
  }
  return {.values = tensor_like(call.x, values, shape)};
}

// With x and y about their weighted means the best b is 0, and (X' W X + penalty) w = X' W y.
std::vector<double> weighted_ridge(std::span<const double> x, std::span<const double> y,
                                   std::span<const double> weights, double penalty) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto rows = static_cast<Eigen::Index>(y.size());
  if (y.empty() || weights.size() != y.size() || x.size() % y.size() != 0)
    fail("weighted_ridge: x of {} numbers, y of {}, {} weights", x.size(), y.size(), weights.size());
  const auto columns = static_cast<Eigen::Index>(x.size() / y.size());
  const Eigen::Map<const Eigen::VectorXd> targets(y.data(), rows), weight(weights.data(), rows);
  const Eigen::Map<const Matrix> samples(x.data(), rows, columns);
  if (!(weight.minCoeff() >= 0) || !(weight.sum() > 0)) fail("weighted_ridge: no weight above 0, or one below");
  const Eigen::RowVectorXd mean = weight.transpose() * samples / weight.sum();
  const Matrix centred = samples.rowwise() - mean;
  const Eigen::VectorXd centred_targets = targets.array() - weight.dot(targets) / weight.sum();
  Matrix normal = centred.transpose() * weight.asDiagonal() * centred;
  normal.diagonal().array() += penalty;
  const Eigen::LDLT<Matrix> solver(normal);
  if (solver.info() != Eigen::Success || !(solver.vectorD().minCoeff() > 1e-12 * solver.vectorD().maxCoeff())) {
    fail("weighted_ridge: {} samples and a penalty of {} leave more than one solution for {} coefficients", rows,
         penalty, columns);
  }
  const Eigen::VectorXd solution = solver.solve(centred.transpose() * weight.cwiseProduct(centred_targets));
  return {solution.begin(), solution.end()};
}

}  // namespace counterfoil::methods
