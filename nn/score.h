#pragma once

#include "nn/classifier.h"

namespace counterfoil::nn {

/// What is asked of each of N images: why this class, and why not that one? An attribution explains the answer as a sum
/// over the image's features, and the metrics of attributions watch it.
struct Question {
  enum class Scale : std::uint8_t { logits, probabilities };

  Tensor classes;       ///< i32 [N]: c, the class that is explained
  Tensor against = {};  ///< i32 [N]: c', the class it is held against (one against one); undefined: none
  Scale scale = Scale::logits;

  /// The same of the images begin .. end - 1.
  Question rows(std::int64_t begin, std::int64_t end) const;
  /// The same of the images at these places, in that order; one may come several times.
  Question gather(const std::vector<std::int32_t>& places) const;
  /// What is asked of image n, of `count` images made from it.
  Question copies(std::int64_t n, std::int64_t count) const;
};

/// How many images like these, [N,H,W,C], are made and classified at a time: `most`, or fewer where they are large.
std::int64_t images_at_once(const Shape& images, std::int64_t most = 256);

/// Why the class that is decided? One against all.
Question why_decided(Classifier& classifier, const Tensor& x);

/// The score of each image [N,H,W,C]: [N]. S_c(x), or with a class to hold it against S_c(x) - S_c'(x) (GANMEX, section
/// 2.3), S being the logits or the probabilities. Of the one-logit form either is log(p_c / p_c'), the logit or minus
/// it. Throws Error when the classes are not i32 [N] or not the classifier's.
Variable score(Classifier& classifier, const Variable& x, const Question& question);

/// The same without a tape, a part at a time.
Tensor scores(Classifier& classifier, const Tensor& x, const Question& question);

/// The gradient of each image's score to that image, [N,H,W,C], a part at a time. `rules` replace derivatives.
Tensor score_gradients(Classifier& classifier, const Tensor& x, const Question& question,
                       const BackwardRules* rules = nullptr);

}  // namespace counterfoil::nn
