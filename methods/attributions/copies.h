#pragma once

#include <functional>
#include <span>
#include <vector>

#include "nn/score.h"

// What the methods share that make a number of images from each image, "copies", whose gradients are summed or whose
// scores are looked at. A bounded number of copies of one image is made at a time, always the same ones together:
// neither the other images of a batch nor their number changes a bit of an image's values.

namespace counterfoil::methods {

/// What the copies begin .. end - 1 of image n add: [end - begin,H,W,C].
using Terms = std::function<Tensor(std::int64_t n, std::int64_t begin, std::int64_t end)>;

/// For each of the images the sum over its `count` copies, both >= 1: [images,H,W,C].
Tensor sum_over_copies(std::int64_t images, std::int64_t count, const Terms& terms);

/// The gradient of each copy's score to that copy, [M,H,W,C], when they are asked what `question` asks of image n.
Tensor copy_gradients(nn::Classifier& classifier, const Tensor& copies, const nn::Question& question, std::int64_t n);

/// The scores of `count` copies of image n when they are asked what `question` asks of it, `at_once` made at a time:
/// make(begin, end) -> [end - begin,H,W,C].
std::vector<double> copy_scores(nn::Classifier& classifier, const nn::Question& question, std::int64_t n,
                                std::int64_t count, std::int64_t at_once,
                                const std::function<Tensor(std::int64_t begin, std::int64_t end)>& make);

/// Host values as a tensor of the dtype and on the device of `like`.
Tensor tensor_like(const Tensor& like, std::span<const double> values, const Shape& shape);

}  // namespace counterfoil::methods
