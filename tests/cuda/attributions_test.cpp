#include <gtest/gtest.h>

#include "kernels/cuda/cuda_device.h"
#include "methods/attributions/deeplift.h"
#include "methods/attributions/expected_gradients.h"
#include "methods/attributions/grad_cam.h"
#include "methods/attributions/guided_backpropagation.h"
#include "methods/attributions/integrated_gradients.h"
#include "methods/attributions/lime.h"
#include "methods/attributions/lrp.h"
#include "methods/attributions/occlusion.h"
#include "methods/attributions/prediction_difference.h"
#include "methods/attributions/saliency.h"
#include "methods/attributions/smooth_grad.h"
#include "metrics/annotation_overlap.h"
#include "metrics/aopc.h"
#include "metrics/aospc.h"
#include "metrics/baseline_distance.h"
#include "metrics/cascading_randomisation.h"
#include "metrics/deletion_curve.h"
#include "metrics/faithfulness.h"
#include "metrics/inverse_localisation.h"
#include "metrics/sparseness.h"
#include "tensor/ops.h"
#include "tests/methods/attributions/small_net.h"

// Attributions and their metrics on the CUDA kernels, executed by kernels/simt, against the CPU: on a device whose
// memory is not the host's.

namespace counterfoil::cuda_test {
namespace {

using methods::SmallProblem;

/// The small network of the golden vectors on one device, one class against another.
struct There {
  explicit There(Device& on)
      : problem(on), question(SmallProblem::question(methods::small_problem_case("logits_against"), on)) {}

  Tensor sets() const {  // [3,2,8,8,2]
    const Shape set{3, 1, 8, 8, 2};
    return concat(std::vector<Tensor>{problem.baseline.reshape(set), problem.x.zeros_like().reshape(set)}, 1);
  }
  methods::Attribution attribute(const methods::AttributionMethod& method) {
    Tensor baselines;
    if (method.baseline_use() == methods::BaselineUse::one) baselines = problem.baseline;
    if (method.baseline_use() == methods::BaselineUse::several) baselines = sets();
    return method.attribute(problem.classifier, problem.x, question, baselines, 5);
  }

  SmallProblem problem;
  nn::Question question;
};

void expect_cpu_agrees(const methods::AttributionMethod& method, const std::string& what, double tolerance = 1e-4) {
  There on_simt(cuda::open()), on_cpu(cpu_device());
  const methods::Attribution found = on_simt.attribute(method), expected = on_cpu.attribute(method);
  EXPECT_EQ(&found.values.device(), &cuda::open()) << what;
  EXPECT_EQ(found.values.dtype(), DType::f32) << what;
  methods::expect_relative(found.values, expected.values, tolerance, what);
  ASSERT_EQ(found.gap.defined(), expected.gap.defined()) << what;
  if (!found.gap.defined()) return;
  const std::vector<double> a = found.gap.to_doubles(), b = expected.gap.to_doubles();
  for (std::size_t n = 0; n < b.size(); ++n) EXPECT_NEAR(a[n], b[n], tolerance) << what;
}

TEST(SimtAttributions, OfGradientsAndRulesAgreeWithTheCpu) {
  expect_cpu_agrees(methods::Saliency(), "saliency");
  expect_cpu_agrees(methods::GradientTimesInput(), "gradient times input");
  expect_cpu_agrees(methods::GuidedBackpropagation(), "guided back-propagation");
  expect_cpu_agrees(methods::DeepLift(), "DeepLIFT");
  expect_cpu_agrees(methods::DeepShap(), "DeepSHAP");
  expect_cpu_agrees(methods::GradCam(), "Grad-CAM");
  expect_cpu_agrees(methods::GuidedGradCam(), "guided Grad-CAM");
  methods::Lrp lrp;
  for (const char* rule : {"epsilon", "alpha_beta"}) {
    lrp.rule = rule;
    expect_cpu_agrees(lrp, "LRP");
  }
  methods::IntegratedGradients integrated;
  integrated.steps = 4;
  expect_cpu_agrees(integrated, "integrated gradients");
  methods::ExpectedGradients expected;
  expected.draws = 4;
  expect_cpu_agrees(expected, "expected gradients");
  methods::SmoothGrad smooth;
  smooth.samples = 3;
  expect_cpu_agrees(smooth, "SmoothGrad");
}

TEST(SimtAttributions, ThatPerturbImagesAgreeWithTheCpu) {
  methods::Occlusion occlusion;
  occlusion.height = occlusion.width = 3;
  occlusion.stride = 2;
  expect_cpu_agrees(occlusion, "occlusion");
  methods::Lime lime;
  lime.segments = 6;
  lime.samples = 30;
  expect_cpu_agrees(lime, "LIME");
  lime.hidden = "mean";
  expect_cpu_agrees(lime, "LIME under the mean");
  methods::PredictionDifference difference;
  difference.window = 3;
  difference.stride = 3;
  difference.surrounding = 1;
  difference.samples = 2;
  for (const char* sampler : {"conditional", "marginal"}) {
    difference.sampler = sampler;
    expect_cpu_agrees(difference, sampler);
  }
}

/// Every metric of attributions, one after the other.
std::vector<double> measured(There& there, const Tensor& on_host) {
  nn::Classifier& classifier = there.problem.classifier;
  const Tensor &x = there.problem.x, attributions = on_host.to(x.device());
  const Tensor annotations = slice(binary(BinaryOp::greater, attributions, attributions.zeros_like()), 3, 0, 1);
  std::vector<double> all;
  const auto add = [&](const std::vector<double>& values) { all.insert(all.end(), values.begin(), values.end()); };
  add(metrics::aopc(classifier, x, there.question, attributions, 5).scores.to_doubles());
  add(metrics::aospc(classifier, x, there.question, attributions, 3, {.steps = 3}).curve.scores.to_doubles());
  add(metrics::deletion_curve(classifier, x, there.question.classes, attributions, 3).accuracy);
  const Tensor map = reduce(ReduceOp::sum, attributions, {3});
  add(metrics::faithfulness(classifier, x, there.question, map, there.problem.baseline));
  add(metrics::monotonicity(classifier, x, there.question, map, slice(there.problem.baseline, 0, 0, 1)));
  add(metrics::sparseness(attributions));
  add(metrics::inverse_localisation(attributions, 2));
  add(metrics::intersection_over_union(attributions, annotations, 90));
  add(metrics::normalised_cross_correlation(attributions, annotations));
  add({metrics::baseline_distance(x, there.sets())});
  metrics::randomise_cascading(*there.problem.network, 1, [&](const std::string&) {
    add(metrics::rank_similarity(attributions, there.attribute(methods::GradientTimesInput()).values).values);
  });
  add(nn::scores(classifier, x, there.question).to_doubles());  // as before
  return all;
}

TEST(SimtAttributions, MetricsAgreeWithTheCpu) {
  There on_simt(cuda::open()), on_cpu(cpu_device());
  const Tensor attributions = on_cpu.attribute(methods::GradientTimesInput()).values;
  const std::vector<double> found = measured(on_simt, attributions), expected = measured(on_cpu, attributions);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4) << "figure " << i;
}

}  // namespace
}  // namespace counterfoil::cuda_test
