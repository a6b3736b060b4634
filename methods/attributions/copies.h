#pragma once

#include <functional>
#include <span>

#include "nn/score.h"

// What path methods and smoothing share: for each image a number of images made from it, "copies", whose gradients are
// summed. A bounded number of copies of one image is on the tape at a time, always the same ones together: neither the
// other images of a batch nor their number changes a bit of an image's sum.

namespace counterfoil::methods {

/// What the copies begin .. end - 1 of image n add: [end - begin,H,W,C].
using Terms = std::function<Tensor(std::int64_t n, std::int64_t begin, std::int64_t end)>;

/// For each of the images the sum over its `count` copies, both >= 1: [images,H,W,C].
Tensor sum_over_copies(std::int64_t images, std::int64_t count, const Terms& terms);

/// The gradient of each copy's score to that copy, [M,H,W,C], when they are asked what `question` asks of image n.
Tensor copy_gradients(nn::Classifier& classifier, const Tensor& copies, const nn::Question& question, std::int64_t n);

/// Numbers as [M,1,1,1] to multiply images with, of their dtype and on their device.
Tensor column(std::span<const double> values, const Tensor& images);

}  // namespace counterfoil::methods
