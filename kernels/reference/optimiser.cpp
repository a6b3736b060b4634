#include "kernels/checks.h"
#include "kernels/pointwise.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"

namespace counterfoil {

using exact::Math;
using reference::InOut;
using reference::Input;

void ReferenceBackend::adam(std::span<const View> parameters, std::span<const ConstView> gradients,
                            std::span<const View> first_moments, std::span<const View> second_moments,
                            const AdamStep& step) {
  check::optimiser("adam", parameters, gradients, {first_moments, second_moments});
  const pointwise::Adam<double> rule(step);
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    const Input gradient(gradients[j]);
    InOut parameter(parameters[j]), m(first_moments[j]), v(second_moments[j]);
    for (std::int64_t i = 0; i < parameter.size(); ++i) rule.update<Math>(parameter[i], gradient[i], m[i], v[i]);
  }
}

void ReferenceBackend::sgd(std::span<const View> parameters, std::span<const ConstView> gradients,
                           std::span<const View> velocities, const SgdStep& step) {
  if (step.momentum == 0 && velocities.empty())
    check::optimiser("sgd", parameters, gradients, {});
  else
    check::optimiser("sgd", parameters, gradients, {velocities});
  const pointwise::Sgd<double> rule(step);
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    const Input gradient(gradients[j]);
    InOut parameter(parameters[j]);
    if (velocities.empty()) {
      for (std::int64_t i = 0; i < parameter.size(); ++i) rule.update(parameter[i], gradient[i]);
    } else {
      InOut velocity(velocities[j]);
      for (std::int64_t i = 0; i < parameter.size(); ++i) rule.update(parameter[i], gradient[i], velocity[i]);
    }
  }
}

void ReferenceBackend::rmsprop(std::span<const View> parameters, std::span<const ConstView> gradients,
                               std::span<const View> square_averages, const RmsPropStep& step) {
  check::optimiser("rmsprop", parameters, gradients, {square_averages});
  const pointwise::RmsProp<double> rule(step);
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    const Input gradient(gradients[j]);
    InOut parameter(parameters[j]), average(square_averages[j]);
    for (std::int64_t i = 0; i < parameter.size(); ++i) rule.update<Math>(parameter[i], gradient[i], average[i]);
  }
}

}  // namespace counterfoil
