#include "methods/attributions/baselines.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "autograd/image.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace counterfoil::methods {
namespace {

using Positions = std::vector<std::int32_t>;

constexpr std::int64_t kTrainingImagesAtOnce = 4096;

void check_images(const Tensor& x, const data::Dataset& train) {
  const Shape& shape = x.shape();
  if (shape.rank() != 4 || shape[0] < 1 || shape[1] != train.height || shape[2] != train.width ||
      shape[3] != train.channels) {
    fail("baselines: images {}, expected [N, {}, {}, {}] as those of training", shape.to_string(), train.height,
         train.width, train.channels);
  }
}

/// Which training images an image may have: those of a class, or of all but one.
struct Allowed {
  std::int32_t of;
  bool others;
  auto operator<=>(const Allowed&) const = default;
};

/// Calls each(places of images that may have the same ones, those training images' positions, in ascending order).
template <typename Each>
void by_allowed(const Tensor& x, const nn::Question& question, const data::Dataset& train,
                const std::vector<std::int32_t>& classes, std::int64_t least, const Each& each) {
  check_images(x, train);
  if (static_cast<std::int64_t>(classes.size()) != train.size())
    fail("baselines: {} classes of {} training images", classes.size(), train.size());
  const bool others = !question.against.defined();
  const Positions wanted = (others ? question.classes : question.against).to_vector<std::int32_t>();
  if (static_cast<std::int64_t>(wanted.size()) != x.shape()[0])
    fail("baselines: {} classes are asked about, expected one for each of {} images", wanted.size(), x.shape()[0]);

  std::map<Allowed, Positions> groups;
  for (std::size_t n = 0; n < wanted.size(); ++n) groups[{wanted[n], others}].push_back(static_cast<std::int32_t>(n));
  for (const auto& [allowed, places] : groups) {
    Positions positions;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if ((classes[i] == allowed.of) != others) positions.push_back(static_cast<std::int32_t>(i));
    }
    if (static_cast<std::int64_t>(positions.size()) < least) {
      fail("baselines: {} training images {} class {}, expected at least {}", positions.size(),
           others ? "are not of" : "are of", allowed.of, least);
    }
    each(places, positions);
  }
}

/// `count` different ones of the positions, each set of them as likely (R. W. Floyd 1987).
void draw(const Positions& from, std::int64_t count, std::uint64_t seed, std::int64_t image, Positions& drawn) {
  Random random(seed, fmt::format("baselines.{}", image));
  std::vector<std::size_t> chosen;
  for (std::size_t last = from.size() - static_cast<std::size_t>(count); last < from.size(); ++last) {
    const auto place = static_cast<std::size_t>(random.integer(last + 1));
    chosen.push_back(std::ranges::find(chosen, place) == chosen.end() ? place : last);
    drawn.push_back(from[chosen.back()]);
  }
}

Tensor taken(const data::Dataset& train, const Positions& positions, const Tensor& x) {
  return train.images(positions, x.device()).to(x.dtype());
}

Tensor as_sets(const Tensor& images, const Shape& x) {
  return images.reshape(Shape{x[0], images.shape()[0] / x[0], x[1], x[2], x[3]});
}

}  // namespace

Tensor zero_baseline(const Tensor& x) {
  return x.zeros_like();
}

Tensor max_baseline(const Tensor& x) {
  return Tensor::full(x.shape(), 1, x.dtype(), x.device());
}

Tensor blur_baseline(const Tensor& x, double sigma) {
  return gaussian_blur(x, gaussian_taps(sigma, x.dtype(), x.device())).value();
}

std::vector<std::int32_t> decided_classes(nn::Classifier& classifier, const data::Dataset& images, Device& device) {
  std::vector<std::int32_t> classes;
  for (std::int64_t begin = 0; begin < images.size(); begin += kTrainingImagesAtOnce) {
    Positions part(static_cast<std::size_t>(std::min(kTrainingImagesAtOnce, images.size() - begin)));
    std::iota(part.begin(), part.end(), static_cast<std::int32_t>(begin));
    const Positions decided = classifier.decisions(images.images(part, device)).to_vector<std::int32_t>();
    classes.insert(classes.end(), decided.begin(), decided.end());
  }
  return classes;
}

Tensor mdts_baseline(const Tensor& x, const nn::Question& question, const data::Dataset& train,
                     const std::vector<std::int32_t>& classes) {
  const std::int64_t features = train.height * train.width * train.channels;
  Positions nearest(static_cast<std::size_t>(x.shape()[0]));
  std::vector<double> distance(nearest.size(), std::numeric_limits<double>::infinity());
  by_allowed(x, question, train, classes, 1, [&](const Positions& places, const Positions& positions) {
    const Tensor which = Tensor::from(places, Shape{static_cast<std::int64_t>(places.size())}, x.device());
    const Tensor queries = gather_rows(x, which).reshape({-1, features});  // [M,D]
    for (std::size_t begin = 0; begin < positions.size(); begin += kTrainingImagesAtOnce) {
      const std::size_t end = std::min(begin + kTrainingImagesAtOnce, positions.size());
      const Positions part(positions.begin() + static_cast<std::ptrdiff_t>(begin),
                           positions.begin() + static_cast<std::ptrdiff_t>(end));
      const auto [found, index] = nearest_row(queries, taken(train, part, x).reshape({-1, features}));
      const std::vector<double> squared = found.to_doubles();
      const Positions at = index.to_vector<std::int32_t>();
      for (std::size_t i = 0; i < places.size(); ++i) {
        const auto n = static_cast<std::size_t>(places[i]);
        if (squared[i] >= distance[n]) continue;
        distance[n] = squared[i];
        nearest[n] = part[static_cast<std::size_t>(at[i])];
      }
    }
  });
  return taken(train, nearest, x);
}

Tensor class_samples(const Tensor& x, const nn::Question& question, const data::Dataset& train,
                     const std::vector<std::int32_t>& classes, std::int64_t count, std::uint64_t seed) {
  if (count < 1) fail("baselines: {} samples, expected at least 1", count);
  std::map<std::int32_t, Positions> drawn;  // by the image's place
  by_allowed(x, question, train, classes, count, [&](const Positions& places, const Positions& positions) {
    for (const std::int32_t n : places) draw(positions, count, seed, n, drawn[n]);
  });
  Positions all;
  for (const auto& [n, positions] : drawn) all.insert(all.end(), positions.begin(), positions.end());
  return as_sets(taken(train, all, x), x.shape());
}

Tensor all_samples(const Tensor& x, const data::Dataset& train, std::int64_t count, std::uint64_t seed) {
  check_images(x, train);
  if (count < 1 || count > train.size())
    fail("baselines: {} samples, expected 1 to {}, the training images", count, train.size());
  Positions all(train.labels.size()), drawn;
  std::iota(all.begin(), all.end(), 0);
  for (std::int64_t n = 0; n < x.shape()[0]; ++n) draw(all, count, seed, n, drawn);
  return as_sets(taken(train, drawn, x), x.shape());
}

}  // namespace counterfoil::methods
