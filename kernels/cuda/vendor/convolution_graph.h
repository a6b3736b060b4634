#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "kernels/cuda/vendor/descriptor.h"
#include "kernels/geometry.h"

namespace counterfoil::cuda {

enum class ConvolutionKind : std::uint8_t { forward, input_grad, weight_grad };

/// What an engine is chosen by: one of the three convolutions of backend.h and its extents.
struct Convolution {
  ConvolutionKind kind = ConvolutionKind::forward;
  std::array<std::int64_t, 4> x{}, weight{}, y{};  ///< NHWC, KRSC, NPQK
  std::array<std::int64_t, 2> stride{}, pad_before{}, pad_after{}, dilation{};
  bool bias = false, relu = false;  ///< of the forward one; a relu has a bias

  /// x, weight and y in the letters of backend.h.
  static Convolution make(ConvolutionKind kind, const Shape& x, const Shape& weight, const Shape& y,
                          const Conv2dGeometry& geometry);
  auto operator<=>(const Convolution&) const = default;
  std::string to_string() const;  ///< "conv2d of x [64, 28, 28, 1], weight [16, 3, 3, 1], y [64, 28, 28, 16]"
};

/// The names that a graph's arrays have in a variant pack.
enum ConvolutionArray : std::int64_t { kArrayX = 1, kArrayWeight, kArrayY, kArrayBias };

/// The operations of a convolution as cuDNN's graph: f32 arrays on addresses that are multiples of 16, f32 sums.
class ConvolutionGraph {
 public:
  /// `handle` may be null where engines are asked for by device properties.
  ConvolutionGraph(const Convolution& convolution, cudnnHandle_t handle);
  const Descriptor& get() const { return graph_; }

 private:
  std::deque<Descriptor> parts_;  // the graph refers to them
  std::vector<Descriptor> operations_;
  Descriptor graph_;
};

}  // namespace counterfoil::cuda
