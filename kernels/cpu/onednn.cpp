#include "kernels/cpu/onednn.h"

#include <array>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

#include <omp.h>

#include "kernels/device.h"
#include "kernels/error.h"

namespace counterfoil::cpu {

namespace {

using Memory = dnnl::memory;
using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl_stream_t stream() {
  static const dnnl::stream in_order(engine());
  return in_order.get();
}

// The threads that oneDNN may use; primitives fix their number when they are created.
class Threads {
 public:
  explicit Threads(int count) { omp_set_num_threads(count); }
  ~Threads() { omp_set_num_threads(saved_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int saved_ = omp_get_max_threads();
};

// Runs a oneDNN call and turns its failure into an Error that names the operator.
template <typename Call>
auto guarded(const char* what, Call&& call) {
  try {
    return call();
  } catch (const dnnl::error& error) {
    fail("{}: oneDNN: {} (status {})", what, error.what(), static_cast<int>(error.status));
  }
}

const char* name_of(Direction direction) {
  switch (direction) {
    case Direction::forward:
      return "conv2d";
    case Direction::input_grad:
      return "conv2d_input_grad";
    case Direction::weight_grad:
      return "conv2d_weight_grad";
  }
  return "convolution";
}

void append_activation(dnnl::post_ops& operations, Activation activation, float slope) {
  auto append = [&](dnnl::algorithm algorithm, float alpha) {
#if DNNL_VERSION_MAJOR >= 3
    operations.append_eltwise(algorithm, alpha, 0.0F);
#else
    operations.append_eltwise(1.0F, algorithm, alpha, 0.0F);
#endif
  };
  switch (activation) {
    case Activation::identity:
      return;
    case Activation::relu:
      return append(dnnl::algorithm::eltwise_relu, 0.0F);
    case Activation::leaky_relu:
      return append(dnnl::algorithm::eltwise_relu, slope);
    case Activation::tanh:
      return append(dnnl::algorithm::eltwise_tanh, 0.0F);
    case Activation::sigmoid:
      return append(dnnl::algorithm::eltwise_logistic, 0.0F);
  }
}

struct Descriptors {
  Memory::desc x, weight, bias, y;
  Memory::dims strides, dilations, pad_before, pad_after;
};

dnnl::convolution_forward::primitive_desc forward_descriptor(const Descriptors& d, const dnnl::primitive_attr& attr) {
  const auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), kind, kDirect, d.x, d.weight, d.bias, d.y, d.strides, d.dilations, d.pad_before, d.pad_after, attr};
#else
  return {
      {kind, kDirect, d.x, d.weight, d.bias, d.y, d.strides, d.dilations, d.pad_before, d.pad_after}, attr, engine()};
#endif
}

dnnl::convolution_backward_data::primitive_desc input_grad_descriptor(
    const Descriptors& d, const dnnl::primitive_attr& attr, const dnnl::convolution_forward::primitive_desc& hint) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), kDirect, d.x, d.weight, d.y, d.strides, d.dilations, d.pad_before, d.pad_after, hint, attr};
#else
  return {{kDirect, d.x, d.weight, d.y, d.strides, d.dilations, d.pad_before, d.pad_after}, attr, engine(), hint};
#endif
}

dnnl::convolution_backward_weights::primitive_desc weight_grad_descriptor(
    const Descriptors& d, const dnnl::primitive_attr& attr, const dnnl::convolution_forward::primitive_desc& hint) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), kDirect, d.x, d.weight, d.y, d.strides, d.dilations, d.pad_before, d.pad_after, hint, attr};
#else
  return {{kDirect, d.x, d.weight, d.y, d.strides, d.dilations, d.pad_before, d.pad_after}, attr, engine(), hint};
#endif
}

Memory memory_at(const Memory::desc& descriptor, const void* data) {
  return {descriptor, engine(), const_cast<void*>(data)};
}

void execute(dnnl_primitive_t primitive, std::span<const dnnl_exec_arg_t> arguments, const char* what) {
  const dnnl_status_t status =
      dnnl_primitive_execute(primitive, stream(), static_cast<int>(arguments.size()), arguments.data());
  if (status != dnnl_success) fail("{}: oneDNN: execution failed (status {})", what, static_cast<int>(status));
}

// FNV-1a. Keys are compared in full, so it may leave fields out.
std::size_t hash_of(std::initializer_list<std::int64_t> fields) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const std::int64_t field : fields) hash = (hash ^ static_cast<std::uint64_t>(field)) * 1099511628211ULL;
  return static_cast<std::size_t>(hash);
}

struct PlanKey {
  ConvolutionProblem problem;
  const ConvolutionPlan* layout;
  bool operator==(const PlanKey&) const = default;
};

struct PlanKeyHash {
  std::size_t operator()(const PlanKey& key) const {
    const ConvolutionProblem& p = key.problem;
    const Conv2dGeometry& g = p.geometry;
    return hash_of({static_cast<std::int64_t>(p.direction), p.images, p.h, p.w, p.c, p.p, p.q, p.k, p.r, p.s,
                    g.stride_h, g.stride_w, g.pad_top, g.pad_left, g.dilation_h, g.dilation_w, g.groups,
                    static_cast<std::int64_t>(g.compute), static_cast<std::int64_t>(p.activation)});
  }
};

struct MatrixProblemHash {
  std::size_t operator()(const MatrixProblem& p) const {
    return hash_of({p.m, p.n, p.k, p.ld_y, p.ld_a, p.ld_b, p.transpose_a ? 1 : 0, p.transpose_b ? 1 : 0});
  }
};

template <typename Key, typename Plan, typename Hash>
struct Plans {
  template <typename Make>
  static const Plan& get(const Key& key, Make&& make) {
    static std::mutex mutex;
    static auto& plans = *new std::unordered_map<Key, std::unique_ptr<const Plan>, Hash>;
    const std::lock_guard lock(mutex);
    std::unique_ptr<const Plan>& plan = plans[key];
    if (plan == nullptr) plan.reset(make());
    return *plan;
  }
};

}  // namespace

ConvolutionPlan::ConvolutionPlan(const ConvolutionProblem& problem, const ConvolutionPlan* layout)
    : direction_(problem.direction) {
  const Threads one(1);
  const Conv2dGeometry& g = problem.geometry;
  const Type read = g.compute == Compute::bf16 ? Type::bf16 : Type::f32;
  const Direction direction = direction_;
  const auto type_of = [&](Direction written_by) { return direction == written_by ? Type::f32 : read; };

  const Memory::dims x_extents{problem.images, problem.c, problem.h, problem.w};
  x_ = {x_extents, type_of(Direction::input_grad), Tag::nhwc};
  y_ = {{problem.images, problem.k, problem.p, problem.q}, type_of(Direction::forward), Tag::nhwc};
  if (problem.has_bias) bias_ = {{problem.k}, Type::f32, Tag::x};
  const Type weight_type = type_of(Direction::weight_grad);
  Memory::dims extents{problem.k / g.groups, problem.c / g.groups, problem.r, problem.s};
  if (g.groups > 1) extents.insert(extents.begin(), g.groups);
  plain_ = {extents, Type::f32, g.groups > 1 ? Tag::gohwi : Tag::ohwi};

  const Descriptors d{.x = x_,
                      .weight = layout != nullptr ? layout->packed_ : Memory::desc(extents, weight_type, Tag::any),
                      .bias = bias_,
                      .y = y_,
                      .strides = {g.stride_h, g.stride_w},
                      .dilations = {g.dilation_h - 1, g.dilation_w - 1},
                      .pad_before = {g.pad_top, g.pad_left},
                      .pad_after = {g.pad_bottom, g.pad_right}};
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (direction_ == Direction::forward && problem.activation != Activation::identity) {
    dnnl::post_ops operations;
    append_activation(operations, problem.activation, problem.slope);
    attr.set_post_ops(operations);
  }
  guarded(name_of(direction_), [&] {
    // The gradients want the forward primitive as a hint, which sees plain operand types and any weight layout.
    const auto hint = [&] {
      Descriptors forward = d;
      forward.x = {x_extents, read, Tag::nhwc};
      forward.bias = {};
      forward.weight = {extents, read, Tag::any};
      return forward_descriptor(forward, {});
    };
    if (direction_ == Direction::forward) {
      const auto descriptor = forward_descriptor(d, attr);
      packed_ = descriptor.weights_desc();
      scratch_ = descriptor.scratchpad_desc();
      primitive_ = dnnl::convolution_forward(descriptor);
    } else if (direction_ == Direction::input_grad) {
      const auto descriptor = input_grad_descriptor(d, attr, hint());
      packed_ = descriptor.weights_desc();
      scratch_ = descriptor.scratchpad_desc();
      primitive_ = dnnl::convolution_backward_data(descriptor);
    } else {
      const auto descriptor = weight_grad_descriptor(d, attr, hint());
      packed_ = descriptor.diff_weights_desc();
      scratch_ = descriptor.scratchpad_desc();
      primitive_ = dnnl::convolution_backward_weights(descriptor);
    }
    const bool unpacks = direction_ == Direction::weight_grad;
    reorder_ = dnnl::reorder(
        dnnl::reorder::primitive_desc(engine(), unpacks ? packed_ : plain_, engine(), unpacks ? plain_ : packed_));
  });
}

void ConvolutionPlan::reorder(const dnnl::memory::desc& to_descriptor, void* to_data,
                              const dnnl::memory::desc& from_descriptor, const void* from_data) const {
  // A reorder only moves data, so its own threading is safe; it pays for large weights.
  const Threads threads(packed_.get_size() >= (1U << 20U) ? thread_count() : 1);
  const Memory from = memory_at(from_descriptor, from_data), to = memory_at(to_descriptor, to_data);
  const std::array<dnnl_exec_arg_t, 2> arguments{{{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}}};
  execute(reorder_.get(), arguments, name_of(direction_));
}

void ConvolutionPlan::pack(void* packed, const float* weight) const {
  reorder(packed_, packed, plain_, weight);
}

void ConvolutionPlan::unpack(float* weight, const void* packed) const {
  reorder(plain_, weight, packed_, packed);
}

void ConvolutionPlan::run(const void* x, const void* weight, const float* bias, const void* y, void* scratch) const {
  const bool input_grad = direction_ == Direction::input_grad, weight_grad = direction_ == Direction::weight_grad;
  const Memory x_memory = memory_at(x_, x), y_memory = memory_at(y_, y), weight_memory = memory_at(packed_, weight),
               scratch_memory = memory_at(scratch_, scratch);
  std::array<dnnl_exec_arg_t, 5> arguments{{
      {input_grad ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, x_memory.get()},
      {direction_ == Direction::forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, y_memory.get()},
      {weight_grad ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, weight_memory.get()},
      {DNNL_ARG_SCRATCHPAD, scratch_memory.get()},
      {},
  }};
  if (bias == nullptr) {
    execute(primitive_.get(), std::span(arguments).first(4), name_of(direction_));
    return;
  }
  const Memory bias_memory = memory_at(bias_, bias);
  arguments[4] = {DNNL_ARG_BIAS, bias_memory.get()};
  execute(primitive_.get(), arguments, name_of(direction_));
}

const ConvolutionPlan& convolution_plan(const ConvolutionProblem& problem, const ConvolutionPlan* layout) {
  return Plans<PlanKey, ConvolutionPlan, PlanKeyHash>::get({problem, layout},
                                                           [&] { return new ConvolutionPlan(problem, layout); });
}

bool has_bf16_hardware() {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx512bf16") != 0;
  return has;
#else
  return false;
#endif
}

void matrix_product(const MatrixProblem& p, float* y, const float* a, const float* b) {
  const dnnl_status_t status = dnnl_sgemm(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', p.m, p.n, p.k, 1.0F, a,
                                          p.ld_a, b, p.ld_b, 0.0F, y, p.ld_y);
  if (status != dnnl_success) fail("matmul: oneDNN: sgemm failed (status {})", static_cast<int>(status));
}

MatrixPlan::MatrixPlan(const MatrixProblem& p) {
  const Threads one(1);
  const auto strides = [](std::int64_t ld, bool transposed) {
    return transposed ? Memory::dims{1, ld} : Memory::dims{ld, 1};
  };
  y_ = {{p.m, p.n}, Type::f32, strides(p.ld_y, false)};
  a_ = {{p.m, p.k}, Type::bf16, strides(p.ld_a, p.transpose_a)};
  b_ = {{p.k, p.n}, Type::bf16, strides(p.ld_b, p.transpose_b)};
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  guarded("matmul", [&] {
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc descriptor(engine(), a_, b_, y_, attr);
#else
    const dnnl::matmul::primitive_desc descriptor({a_, b_, y_}, attr, engine());
#endif
    scratch_ = descriptor.scratchpad_desc();
    primitive_ = dnnl::matmul(descriptor);
  });
}

void MatrixPlan::run(float* y, const void* a, const void* b, void* scratch) const {
  const Memory y_memory = memory_at(y_, y), a_memory = memory_at(a_, a), b_memory = memory_at(b_, b),
               scratch_memory = memory_at(scratch_, scratch);
  const std::array<dnnl_exec_arg_t, 4> arguments{{{DNNL_ARG_SRC, a_memory.get()},
                                                  {DNNL_ARG_WEIGHTS, b_memory.get()},
                                                  {DNNL_ARG_DST, y_memory.get()},
                                                  {DNNL_ARG_SCRATCHPAD, scratch_memory.get()}}};
  execute(primitive_.get(), arguments, "matmul");
}

const MatrixPlan& matrix_plan(const MatrixProblem& problem) {
  return Plans<MatrixProblem, MatrixPlan, MatrixProblemHash>::get(problem, [&] { return new MatrixPlan(problem); });
}

}  // namespace counterfoil::cpu
