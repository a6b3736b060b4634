#include "metrics/baseline_distance.h"

#include <cmath>

#include "tensor/ops.h"

namespace counterfoil::metrics {

double baseline_distance(const Tensor& x, const Tensor& baselines) {
  const Shape& images = x.shape();
  const Shape& given = baselines.shape();
  const bool sets = given.rank() == 5;
  const bool fits = images.rank() == 4 && x.size() > 0 && baselines.size() > 0 && (sets || given.rank() == 4) &&
                    given[0] == images[0] && given[-3] == images[1] && given[-2] == images[2] && given[-1] == images[3];
  if (!fits) {
    fail("baseline_distance: expected baselines of images {}, found {}", images.to_string(), given.to_string());
  }
  const std::int64_t each = sets ? given[1] : 1, features = x.size() / images[0];
  const Tensor all = baselines.reshape({images[0], each, features}), one = x.reshape({images[0], 1, features});
  const Tensor difference = binary(BinaryOp::subtract, all, one);  // [N,B,D]
  double sum = 0;
  for (const double squared : reduce(ReduceOp::sum_squares, difference, {2}).to_doubles()) sum += std::sqrt(squared);
  return sum / static_cast<double>(images[0] * each);
}

}  // namespace counterfoil::metrics
