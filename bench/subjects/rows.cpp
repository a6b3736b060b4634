#include <fmt/format.h>

#include "bench/subjects/subject.h"

// Rows of scores, rows of tables, ranks.

namespace counterfoil::bench {
namespace {

/// count indices below `below`, spread evenly.
Array indices(Device& device, std::int64_t count, std::int64_t below) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int32_t>(i * 2654435761U % static_cast<std::uint64_t>(below));
  }
  return Array(Tensor::from(values, {count}, device));
}

void add_scores(std::vector<Subject>& subjects, std::int64_t rows, std::int64_t columns) {
  const auto add = [&](const char* name, const std::function<Run(Device&)>& prepare) {
    subjects.push_back({fmt::format("loops/{}/{}x{}", name, rows, columns), prepare});
  };
  const Shape shape{rows, columns};
  add("softmax", [=](Device& device) -> Run {
    return [x = Array::normal(device, shape), y = Array(device, shape)](Backend& b) { b.softmax(y, x, false); };
  });
  add("softmax_backward", [=](Device& device) -> Run {
    return [d_y = Array::normal(device, shape), y = Array::normal(device, shape),
            d_x = Array(device, shape)](Backend& b) { b.softmax_backward(d_x, y, d_y, false); };
  });
  add("cross_entropy", [=](Device& device) -> Run {
    return [x = Array::normal(device, shape), labels = indices(device, rows, columns),
            out = Array(device, {rows})](Backend& b) { b.cross_entropy(out, x, labels); };
  });
  add("cross_entropy_backward", [=](Device& device) -> Run {
    return [x = Array::normal(device, shape), labels = indices(device, rows, columns), d_x = Array(device, shape),
            d_out = Array::normal(device, {rows})](Backend& b) { b.cross_entropy_backward(d_x, x, labels, d_out); };
  });
  add("argmax", [=](Device& device) -> Run {
    return [x = Array::normal(device, shape), index = Array(device, {rows}, DType::i32)](Backend& b) {
      b.argmax(index, x);
    };
  });
}

void add_table(std::vector<Subject>& subjects, std::int64_t rows, std::int64_t width, std::int64_t chosen) {
  const auto add = [&](const char* name, const std::function<Run(Device&)>& prepare) {
    subjects.push_back({fmt::format("loops/{}/{}of{}x{}", name, chosen, rows, width), prepare});
  };
  add("gather_rows", [=](Device& device) -> Run {
    return [table = Array::normal(device, {rows, width}), index = indices(device, chosen, rows),
            out = Array(device, {chosen, width})](Backend& b) { b.gather_rows(out, table, index); };
  });
  add("scatter_add_rows", [=](Device& device) -> Run {
    return [x = Array::normal(device, {chosen, width}), index = indices(device, chosen, rows),
            out = Array(device, {rows, width})](Backend& b) { b.scatter_add_rows(out, x, index); };
  });
}

}  // namespace

std::vector<Subject> row_subjects(const Sizes& sizes) {
  std::vector<Subject> subjects;
  const std::int64_t rows = sizes.either(4096, 64);
  for (const std::int64_t columns : {10, 1000, 2000}) add_scores(subjects, rows, columns);
  add_table(subjects, 10, 128, 64);  // class embeddings: few indices
  add_table(subjects, sizes.either(100'000, 100), 64, rows * 5);
  subjects.push_back({fmt::format("loops/one_hot/{}x1000", rows), [=](Device& device) -> Run {
                        return [index = indices(device, rows, 1000), out = Array(device, {rows, 1000})](Backend& b) {
                          b.one_hot(out, index);
                        };
                      }});
  const Shape pixels{sizes.images, sizes.either(224 * 224, 28 * 28)};
  subjects.push_back({"loops/order_statistic/" + pixels.to_string(), [=](Device& device) -> Run {
                        return [x = Array::normal(device, pixels), y = Array(device, {pixels[0]}),
                                rank = pixels[1] * 9 / 10](Backend& b) { b.order_statistic(y, x, rank); };
                      }});
  return subjects;
}

}  // namespace counterfoil::bench
