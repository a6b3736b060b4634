#include "bench/subjects/subject.h"

namespace counterfoil::bench {

Array Array::normal(Device& device, const Shape& shape) {
  Array array(device, shape);
  device.backend().random_normal(array, {7, static_cast<std::uint64_t>(shape.size())}, 0, 0, 1);
  return array;
}

std::vector<Subject> all_subjects(const Sizes& sizes) {
  std::vector<Subject> all;
  for (const auto& list : {loop_subjects, row_subjects, network_subjects, image_subjects}) {
    for (Subject& subject : list(sizes)) all.push_back(std::move(subject));
  }
  return all;
}

}  // namespace counterfoil::bench
