#include <fmt/format.h>

#include "bench/subjects/subject.h"

namespace counterfoil::bench {
namespace {

/// Each image turned by 10 degrees about its centre: theta [N,2,3].
Array turned(Device& device, std::int64_t images) {
  constexpr float kCos = 0.98480775F, kSin = 0.17364818F;
  const float one[] = {kCos, -kSin, 0, kSin, kCos, 0};
  std::vector<float> theta;
  for (std::int64_t n = 0; n < images; ++n) theta.insert(theta.end(), std::begin(one), std::end(one));
  return Array(Tensor::from(theta, {images, 2, 3}, device));
}

void add_distances(std::vector<Subject>& subjects, std::int64_t queries, std::int64_t base, std::int64_t depth) {
  const std::string suffix = fmt::format("{}x{}x{}", queries, base, depth);
  subjects.push_back({"loops/nearest_row/" + suffix, [=](Device& device) -> Run {
                        return [a = Array::normal(device, {queries, depth}), b = Array::normal(device, {base, depth}),
                                distance = Array(device, {queries}), index = Array(device, {queries}, DType::i32)](
                                   Backend& backend) { backend.nearest_row(distance, index, a, b); };
                      }});
  subjects.push_back({"loops/pairwise_distance/" + suffix, [=](Device& device) -> Run {
                        return [a = Array::normal(device, {queries, depth}), b = Array::normal(device, {base, depth}),
                                out = Array(device, {queries, base})](Backend& backend) {
                          backend.pairwise_distance(out, a, b);
                        };
                      }});
}

void add_images(std::vector<Subject>& subjects, const Shape& shape) {
  const auto add = [&](const char* name, const std::function<Run(Device&)>& prepare) {
    subjects.push_back({fmt::format("loops/{}/{}", name, shape.to_string()), prepare});
  };
  const Shape rows{shape[0]};
  add("separable_filter_15", [=](Device& device) -> Run {
    return [x = Array::normal(device, shape), y = Array(device, shape), taps = Array::normal(device, {15})](
               Backend& b) { b.separable_filter(y, x, taps, taps, Border::replicate); };
  });
  add("separable_filter_15_backward", [=](Device& device) -> Run {
    return [d_y = Array::normal(device, shape), d_x = Array(device, shape), taps = Array::normal(device, {15})](
               Backend& b) { b.separable_filter_backward(d_x, d_y, taps, taps, Border::replicate); };
  });
  add("affine_warp", [=](Device& device) -> Run {
    return [x = Array::normal(device, shape), y = Array(device, shape), theta = turned(device, shape[0])](Backend& b) {
      b.affine_warp(y, x, theta);
    };
  });
  add("affine_warp_backward", [=](Device& device) -> Run {
    return [d_y = Array::normal(device, shape), d_x = Array(device, shape),
            theta = turned(device, shape[0])](Backend& b) { b.affine_warp_backward(d_x, d_y, theta); };
  });
  add("total_variation", [=](Device& device) -> Run {
    return [x = Array::normal(device, shape), out = Array(device, rows)](Backend& b) { b.total_variation(out, x, 2); };
  });
  add("total_variation_backward", [=](Device& device) -> Run {
    return [x = Array::normal(device, shape), d_x = Array(device, shape),
            d_out = Array::normal(device, rows)](Backend& b) { b.total_variation_backward(d_x, x, d_out, 2); };
  });
}

}  // namespace

std::vector<Subject> image_subjects(const Sizes& sizes) {
  std::vector<Subject> subjects;
  for (const std::int64_t channels : {1, 3}) {
    add_images(subjects, {sizes.images, 28, 28, channels});
    if (!sizes.few) add_images(subjects, {sizes.images, 112, 112, channels});
  }
  for (const std::int64_t depth : {100, 784}) {
    if (sizes.few && depth > 100) continue;
    add_distances(subjects, sizes.either(256, 32), sizes.either(4096, 1024), depth);
  }
  const std::int64_t side = sizes.either(224, 28);
  const Shape maps{sizes.images, side, side};
  subjects.push_back({"loops/connected_components/" + maps.to_string(), [=](Device& device) -> Run {
                        const Array mask = Array::normal(device, maps);  // positive: about half of the pixels
                        device.backend().unary(UnaryOp::greater_than, mask, mask, 0, 0);
                        return [mask, labels = Array(device, maps, DType::i32)](Backend& b) {
                          b.connected_components(labels, mask, 8);
                        };
                      }});
  return subjects;
}

}  // namespace counterfoil::bench
