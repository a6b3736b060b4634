#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

// What the attribution methods share that put something else into an image and look at the score. Every image is
// perturbed by itself: its values are the same whatever other images are attributed with it.

namespace counterfoil::methods {

/// A box of an image's features, begin <= index < end.
struct Window {
  std::int64_t row, row_end, column, column_end, channel, channel_end;
};

/// Windows of height x width pixels over images [N,H,W,C], in the order of their first features: one every `stride`
/// rows and columns up to the first that reaches the edge, which is cut there; of one channel each, or of all. Together
/// they cover every feature. Throws Error, named for `who`, on windows larger than the images, and on a stride that
/// leaves features between two windows.
std::vector<Window> windows_over(const Shape& images, std::int64_t height, std::int64_t width, std::int64_t stride,
                                 bool each_channel, const char* who);

/// The mean over the windows that cover a feature of what each was worth: H W C values.
std::vector<double> mean_over_windows(const Shape& images, const std::vector<Window>& windows,
                                      const std::vector<double>& worth);

/// Which features of R copies of an image are replaced: none at first.
class Replaced {
 public:
  Replaced(std::int64_t copies, const Shape& images);
  void mark(std::int64_t copy, const Window& window);
  void mark(std::int64_t copy, std::int64_t row, std::int64_t column);  ///< all channels of a pixel

  /// x [1,H,W,C] in R copies [R,H,W,C] with the values of `other` [1,H,W,C] or [R,H,W,C] where they are replaced.
  Tensor in(const Tensor& x, const Tensor& other) const;

 private:
  Shape shape_;
  std::vector<float> marks_;  // [R,H,W,C], 0 or 1
};

}  // namespace counterfoil::methods
