#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <dnnl.hpp>

#include "kernels/geometry.h"

/// oneDNN as this backend uses it: primitives for one thread, created once per problem, with caller-provided scratch
/// memory. The differences between its 2.x and 3.x interfaces end here.
namespace counterfoil::cpu {

enum class Direction : std::uint8_t { forward, input_grad, weight_grad };

/// One convolution on `images` images, as one thread runs it. Extents as in Backend::conv2d: x [images,h,w,c],
/// y [images,p,q,k], weight [k,r,s,c/groups].
struct ConvolutionProblem {
  Direction direction = Direction::forward;
  std::int64_t images = 0, h = 0, w = 0, c = 0, p = 0, q = 0, k = 0, r = 0, s = 0;
  Conv2dGeometry geometry;
  // The epilogue, forward only.
  bool has_bias = false;
  Activation activation = Activation::identity;
  float slope = 0;

  bool operator==(const ConvolutionProblem&) const = default;
};

/// A convolution primitive. Activations are NHWC, f32; with Compute::bf16 the arrays that are read (x, y's gradient,
/// the packed weight) are bf16. The weight is in a layout of oneDNN's choice ("packed").
class ConvolutionPlan {
 public:
  /// `layout` lends its packed weight layout, so that chunks of other extents can share the packed weight.
  ConvolutionPlan(const ConvolutionProblem& problem, const ConvolutionPlan* layout);

  std::size_t packed_bytes() const { return packed_.get_size(); }
  std::size_t scratch_bytes() const { return scratch_.get_size(); }

  /// weight [K,R,S,C/groups] in f32 to the packed layout, and back for a weight gradient. Not from inside a chunk.
  void pack(void* packed, const float* weight) const;
  void unpack(float* weight, const void* packed) const;

  /// x, weight, bias and y in the direction's roles: the gradient takes its operand's place. bias may be null.
  void run(const void* x, const void* weight, const float* bias, const void* y, void* scratch) const;

 private:
  void reorder(const dnnl::memory::desc& to_descriptor, void* to_data, const dnnl::memory::desc& from_descriptor,
               const void* from_data) const;

  Direction direction_;
  dnnl::memory::desc x_, y_, bias_, plain_, packed_, scratch_;
  dnnl::primitive primitive_;
  dnnl::reorder reorder_;
};

/// The plan for a problem, created on the first request. Never destroyed: chunks have few sizes, whatever the batch.
const ConvolutionPlan& convolution_plan(const ConvolutionProblem& problem, const ConvolutionPlan* layout = nullptr);

/// Whether this processor multiplies bf16 (AVX512-BF16 or AMX) and oneDNN knows it.
bool has_bf16_hardware();

/// y [m,n] = op(a) op(b) for row-major arrays, whose rows begin ld_y, ld_a and ld_b elements apart.
struct MatrixProblem {
  std::int64_t m = 0, n = 0, k = 0, ld_y = 0, ld_a = 0, ld_b = 0;
  bool transpose_a = false, transpose_b = false;

  bool operator==(const MatrixProblem&) const = default;
};

/// On the calling thread. Generated code (oneDNN 2.6.3) keeps the stack register in a workspace on the heap meanwhile,
/// so a handler of a signal that this thread may take needs a stack of its own: sigaltstack and SA_ONSTACK.
void matrix_product(const MatrixProblem& problem, float* y, const float* a, const float* b);

/// The same for operands in bf16.
class MatrixPlan {
 public:
  explicit MatrixPlan(const MatrixProblem& problem);
  std::size_t scratch_bytes() const { return scratch_.get_size(); }
  void run(float* y, const void* a, const void* b, void* scratch) const;

 private:
  dnnl::memory::desc y_, a_, b_, scratch_;
  dnnl::primitive primitive_;
};

/// As convolution_plan().
const MatrixPlan& matrix_plan(const MatrixProblem& problem);

}  // namespace counterfoil::cpu
