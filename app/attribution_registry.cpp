#include "app/attribution_registry.h"

#include "kernels/error.h"
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
#include "tensor/nearest_name.h"

namespace counterfoil::app {

namespace {

template <typename Method>
AttributionKind kind(std::string name, std::string paper, std::string summary) {
  return {std::move(name), std::move(paper), std::move(summary), [] { return std::make_unique<Method>(); }};
}

std::vector<AttributionKind> make_attribution_kinds() {
  using namespace methods;  // NOLINT(google-build-using-namespace): the table reads better
  return {
      kind<Saliency>("saliency",
                     "Simonyan, Vedaldi, Zisserman: Deep inside convolutional networks: visualising image "
                     "classification models and saliency maps, 2014",
                     "the size of the gradient"),
      kind<GradientTimesInput>("gradient-times-input",
                               "Shrikumar, Greenside, Shcherbina, Kundaje: Not just a black box: learning important "
                               "features through propagating activation differences, 2016",
                               "the gradient times the image"),
      kind<SmoothGrad>("smoothgrad",
                       "Smilkov, Thorat, Kim, Viegas, Wattenberg: SmoothGrad: removing noise by adding noise, 2017",
                       "the gradient averaged over noisy copies"),
      kind<GuidedBackpropagation>("guided-backprop",
                                  "Springenberg, Dosovitskiy, Brox, Riedmiller: Striving for simplicity: the all "
                                  "convolutional net, 2015",
                                  "a gradient that rectifiers let through where it is positive"),
      kind<IntegratedGradients>("integrated-gradients",
                                "Sundararajan, Taly, Yan: Axiomatic attribution for deep networks, ICML 2017",
                                "the gradient along the straight way from the baseline"),
      kind<ExpectedGradients>("expected-gradients",
                              "Erion, Janizek, Sturmfels, Lundberg, Lee: Learning explainable models using attribution "
                              "priors, 2019",
                              "integrated gradients in expectation over baselines"),
      kind<DeepLift>("deeplift",
                     "Shrikumar, Greenside, Kundaje: Learning important features through propagating activation "
                     "differences, ICML 2017",
                     "differences to the baseline, passed back from operation to operation"),
      kind<DeepShap>("deepshap", "Lundberg, Lee: A unified approach to interpreting model predictions, NIPS 2017",
                     "DeepLIFT averaged over baselines"),
      kind<Lrp>(
          "lrp",
          "Bach, Binder, Montavon, Klauschen, Mueller, Samek: On pixel-wise explanations for non-linear classifier "
          "decisions by layer-wise relevance propagation, PLoS ONE 2015",
          "relevance shared from layer to layer in proportion"),
      kind<GradCam>(
          "grad-cam",
          "Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra: Grad-CAM: visual explanations from deep networks "
          "via gradient-based localization, ICCV 2017",
          "the channels of a layer, weighted by their gradients"),
      kind<GuidedGradCam>(
          "guided-grad-cam",
          "Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra: Grad-CAM: visual explanations from deep networks "
          "via gradient-based localization, ICCV 2017",
          "Grad-CAM times guided back-propagation"),
      kind<Occlusion>("occlusion", "Zeiler, Fergus: Visualizing and understanding convolutional networks, ECCV 2014",
                      "the score's drop when a part is covered"),
      kind<Lime>("lime",
                 "Ribeiro, Singh, Guestrin: Why should I trust you? Explaining the predictions of any classifier, KDD "
                 "2016",
                 "a linear model of superpixels that come and go"),
      kind<PredictionDifference>(
          "pda",
          "Zintgraf, Cohen, Adel, Welling: Visualizing deep neural network decisions: prediction difference analysis, "
          "ICLR 2017",
          "how much less likely the class is when a window is not known"),
  };
}

}  // namespace

const std::vector<AttributionKind>& attribution_kinds() {
  static const std::vector<AttributionKind> all = make_attribution_kinds();
  return all;
}

const AttributionKind& attribution_named(const std::string& name) {
  std::vector<std::string> names;
  for (const AttributionKind& kind : attribution_kinds()) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  fail("no attribution method is called {}; the nearest is '{}'", in_quotes(name), nearest_name(name, names));
}

}  // namespace counterfoil::app
