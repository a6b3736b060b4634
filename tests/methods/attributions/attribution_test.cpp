#include "methods/attributions/attribution.h"

#include "methods/attributions/expected_gradients.h"
#include "methods/attributions/lime.h"
#include "methods/attributions/prediction_difference.h"
#include "methods/attributions/smooth_grad.h"
#include "tensor/ops.h"
#include "tests/methods/attributions/small_net.h"

namespace counterfoil::methods {
namespace {

// Who attributes images a part at a time gets what all together have: what is drawn goes with an image's place.
TEST(Attribution, PartsDrawWhatTheWholeDoes) {
  SmallProblem small;
  const nn::Question question = SmallProblem::question(small_problem_case("logits_against"));
  const Shape& shape = small.x.shape();
  const std::int64_t images = shape[0], split = images / 2;
  ASSERT_GE(split, 1);
  Random random(4, "sets");
  const Tensor sets =
      random.uniform(Shape{images, 3, shape[1], shape[2], shape[3]}, 0, 1, reference_device(), DType::f64);

  const auto expect_parts = [&](const AttributionMethod& method, const Tensor& baselines) {
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      return method
          .attribute({.classifier = small.classifier,
                      .x = slice(small.x, 0, begin, end),
                      .question = question.rows(begin, end),
                      .baselines = baselines.defined() ? slice(baselines, 0, begin, end) : Tensor(),
                      .seed = 9,
                      .first = begin})
          .values;
    };
    const std::vector<Tensor> parts = {part(0, split), part(split, images)};
    EXPECT_EQ(concat(parts, 0).to_doubles(), part(0, images).to_doubles());
  };
  SmoothGrad smooth;
  smooth.samples = 3;
  expect_parts(smooth, {});
  ExpectedGradients expected;
  expected.draws = 5;
  expect_parts(expected, sets);
  Lime lime;
  lime.samples = 40;
  lime.segments = 6;
  expect_parts(lime, baseline_of_each(sets, 0));
  PredictionDifference difference;
  difference.window = 2;
  difference.surrounding = 1;
  difference.samples = 2;
  expect_parts(difference, sets);
}

}  // namespace
}  // namespace counterfoil::methods
