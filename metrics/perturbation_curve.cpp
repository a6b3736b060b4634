#include "metrics/perturbation_curve.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "tensor/ops.h"

namespace counterfoil::metrics {
namespace {

constexpr std::int64_t kCopiesAtOnce = 128;

}  // namespace

Tensor measure_along(const Tensor& x, std::int64_t steps, const Perturb& perturb, const Measure& measure) {
  const std::int64_t images = x.shape()[0], elements = x.size() / images;
  const std::int64_t at_once = nn::images_at_once(x.shape(), kCopiesAtOnce);
  std::vector<double> measured;
  for (std::int64_t n = 0; n < images; ++n) {
    std::vector<double> pixels = slice(x, 0, n, n + 1).to_doubles();
    for (std::int64_t first = 0; first <= steps; first += at_once) {
      std::vector<double> copies;
      for (std::int64_t step = first; step < std::min(first + at_once, steps + 1); ++step) {
        if (step > 0) perturb(n, step, pixels);
        copies.insert(copies.end(), pixels.begin(), pixels.end());
      }
      const Shape shape = x.shape().with(0, static_cast<std::int64_t>(copies.size()) / elements);
      const Tensor batch = Tensor::from(copies, shape, reference_device()).to(x.dtype()).to(x.device());
      std::ranges::copy(measure(batch, n), std::back_inserter(measured));
    }
  }
  return Tensor::from(measured, Shape{images, steps + 1}, reference_device());
}

Tensor scores_along(nn::Classifier& classifier, const Tensor& x, const nn::Question& question, std::int64_t steps,
                    const Perturb& perturb, const char* who) {
  const Shape expected{x.shape()[0]};
  if (!(question.classes.shape() == expected) ||
      (question.against.defined() && !(question.against.shape() == expected))) {
    fail("{}: a question with {} classes, expected {}", who, question.classes.shape().to_string(),
         expected.to_string());
  }
  return measure_along(x, steps, perturb, [&](const Tensor& copies, std::int64_t image) {
    const nn::Question asked = question.copies(image, copies.shape()[0]);
    std::vector<double> found = nn::scores(classifier, copies, asked).to_doubles();
    for (const double score : found) {
      if (!std::isfinite(score))
        fail("{}: the classifier's score of image {}, perturbed or not, is {}", who, image, score);
    }
    return found;
  });
}

PerturbationCurve::PerturbationCurve(Tensor scores_) : scores(std::move(scores_)) {
  const std::int64_t images = scores.shape()[0], points = scores.shape()[1];
  const std::vector<double> values = scores.to_doubles();
  for (std::int64_t n = 0; n < images; ++n) {
    const auto curve =
        std::span(values).subspan(static_cast<std::size_t>(n * points), static_cast<std::size_t>(points));
    double sum = 0;
    for (const double score : curve) sum += curve.front() - score;
    area.push_back(sum / static_cast<double>(points));
  }
}

}  // namespace counterfoil::metrics
