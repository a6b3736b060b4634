#include "methods/attributions/attribution.h"

#include "tensor/ops.h"

namespace counterfoil::methods {
namespace {

void check_baselines(const Tensor& baselines, BaselineUse use, const Shape& x) {
  if (use == BaselineUse::none) {
    if (baselines.defined()) fail("attribution: a method that takes no baseline was given one");
    return;
  }
  if (!baselines.defined()) fail("attribution: no baseline was given to a method that needs one");
  const Shape& shape = baselines.shape();
  const bool set = use == BaselineUse::several;
  const bool fits = shape.rank() == (set ? 5 : 4) && shape[0] == x[0] && (!set || shape[1] >= 1) && shape[-3] == x[1] &&
                    shape[-2] == x[2] && shape[-1] == x[3];
  if (!fits) {
    fail("attribution: baselines {}, expected {} for images {}", shape.to_string(), set ? "[N,B,H,W,C]" : "[N,H,W,C]",
         x.to_string());
  }
}

void check_question(const Tensor& classes, std::int64_t images) {
  if (classes.dtype() != DType::i32 || classes.shape() != Shape{images}) {
    fail("attribution: classes {} {}, expected i32 {}", name_of(classes.dtype()), classes.shape().to_string(),
         Shape{images}.to_string());
  }
}

}  // namespace

Attribution AttributionMethod::attribute(const AttributionCall& call) const {
  const Shape& shape = call.x.shape();
  if (shape.rank() != 4 || shape[0] < 1) fail("attribution: images {}, expected [N,H,W,C]", shape.to_string());
  AttributionCall checked = call;
  if (baseline_use() == BaselineUse::several && call.baselines.defined() && call.baselines.shape() == shape)
    checked.baselines = call.baselines.reshape(Shape{shape[0], 1, shape[1], shape[2], shape[3]});
  check_baselines(checked.baselines, baseline_use(), shape);
  check_question(call.question.classes, shape[0]);
  if (call.question.against.defined()) check_question(call.question.against, shape[0]);
  return compute(checked);
}

Tensor baseline_of_each(const Tensor& baselines, std::int64_t b) {
  const Shape& shape = baselines.shape();
  return slice(baselines, 1, b, b + 1).reshape(Shape{shape[0], shape[2], shape[3], shape[4]});
}

Tensor completeness_gap(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                        const Tensor& baselines, const Tensor& values) {
  const std::int64_t sets = baselines.shape().rank() == 5 ? baselines.shape()[1] : 1;
  Tensor gap = binary(BinaryOp::subtract, reduce(ReduceOp::sum, values, {1, 2, 3}).reshape({-1}),
                      nn::scores(classifier, x, question));
  for (std::int64_t b = 0; b < sets; ++b) {
    const Tensor baseline = baselines.shape().rank() == 5 ? baseline_of_each(baselines, b) : baselines;
    gap = axpby(1, gap, 1.0 / static_cast<double>(sets), nn::scores(classifier, baseline, question));
  }
  return gap;
}

}  // namespace counterfoil::methods
