#pragma once

#include <cstdint>

#include "nn/keys.h"
#include "nn/score.h"

// What the attribution methods share. An attribution says how much each feature, a channel of a pixel, adds to a score
// of the classifier (nn/score.h): values with signs, one per feature, never normalised here.

namespace counterfoil::methods {

/// What a method takes for "the feature is not there".
enum class BaselineUse : std::uint8_t {
  none,     ///< it takes nothing
  one,      ///< an image for each image: [N,H,W,C]
  several,  ///< a set for each image: [N,B,H,W,C]; one for each, [N,H,W,C], is a set of one
};

/// What a method is called with: N images and what is asked of them.
struct AttributionCall {
  nn::Classifier& classifier;
  Tensor x;  ///< [N,H,W,C]
  nn::Question question;
  Tensor baselines = {};  ///< as BaselineUse says
  std::uint64_t seed = 0;
  std::int64_t first = 0;  ///< the place of image 0 among all, of a caller who attributes them a part at a time

  /// What is drawn for image n depends on the seed and this alone.
  std::int64_t place(std::int64_t n) const { return first + n; }
};

struct Attribution {
  Tensor values;    ///< [N,H,W,C]
  Tensor gap = {};  ///< [N], of methods that promise completeness: sum of values - (S(x) - mean of S(baselines))
};

/// A method with its settings: the public fields of the class that implements it, which are also its keys.
class AttributionMethod {
 public:
  AttributionMethod() = default;
  AttributionMethod(const AttributionMethod&) = delete;
  AttributionMethod& operator=(const AttributionMethod&) = delete;
  virtual ~AttributionMethod() = default;

  virtual void declare(nn::Keys& keys) = 0;
  virtual BaselineUse baseline_use() const = 0;

  /// Attributes the score that the question names, of each image, to their features. A part is computed at a time, so
  /// that N is bounded by the memory for x, the baselines and the values. Throws Error on shapes that do not fit, and
  /// on a classifier that the method cannot explain.
  Attribution attribute(const AttributionCall& call) const;
  Attribution attribute(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                        const Tensor& baselines = {}, std::uint64_t seed = 0) const {
    return attribute({classifier, x, question, baselines, seed});
  }

 private:
  /// After the checks; a set of one is [N,1,H,W,C] here.
  virtual Attribution compute(const AttributionCall& call) const = 0;
};

/// [N,B,...] -> the b-th of each set, [N,...].
Tensor baseline_of_each(const Tensor& baselines, std::int64_t b);

/// Sum of the values - (S(x) - mean over the set of S(baseline)): [N]. `baselines` [N,H,W,C] or [N,B,H,W,C].
Tensor completeness_gap(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                        const Tensor& baselines, const Tensor& values);

}  // namespace counterfoil::methods
