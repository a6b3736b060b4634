#include "methods/attributions/occlusion.h"

#include "methods/attributions/copies.h"
#include "methods/attributions/perturbation.h"
#include "tensor/ops.h"

namespace counterfoil::methods {

void Occlusion::declare(nn::Keys& keys) {
  keys.add("height", height, 1, 4096, "pixels, of a window");
  keys.add("width", width, 1, 4096, "pixels, of a window");
  keys.add("stride", stride, 1, 4096, "pixels from window to window, in both directions");
  keys.add("channels", channels, {"each", "all"}, "of a window: one, each in turn, or all at once");
}

Attribution Occlusion::compute(const AttributionCall& call) const {
  const Shape& shape = call.x.shape();
  const std::vector<Window> windows = windows_over(shape, height, width, stride, channels == "each", "occlusion");
  std::vector<double> values;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    const Tensor image = slice(call.x, 0, n, n + 1), baseline = slice(call.baselines, 0, n, n + 1);
    // The first copy is the image itself, the others have a window each.
    const std::vector<double> scores =
        copy_scores(call.classifier, call.question, n, static_cast<std::int64_t>(windows.size()) + 1,
                    nn::images_at_once(shape), [&](std::int64_t begin, std::int64_t end) {
                      Replaced replaced(end - begin, shape);
                      for (std::int64_t i = std::max<std::int64_t>(begin, 1); i < end; ++i)
                        replaced.mark(i - begin, windows[static_cast<std::size_t>(i - 1)]);
                      return replaced.in(image, baseline);
                    });
    // S(x) - S(x_w)
    std::vector<double> worth;
    for (std::size_t i = 1; i < scores.size(); ++i) worth.push_back(scores[0] - scores[i]);
    const std::vector<double> mean = mean_over_windows(shape, windows, worth);
    values.insert(values.end(), mean.begin(), mean.end());
  }
  return {.values = tensor_like(call.x, values, shape)};
}

}  // namespace counterfoil::methods
