#include "autograd/matmul.h"

#include <utility>

#include "tests/cases/case.h"

namespace counterfoil::cases {

namespace {

constexpr std::pair<const char*, Activation> kActivations[] = {{"identity", Activation::identity},
                                                               {"relu", Activation::relu},
                                                               {"leaky_relu", Activation::leaky_relu},
                                                               {"tanh", Activation::tanh},
                                                               {"sigmoid", Activation::sigmoid}};

Case product(std::string name, const Shape& a, const Shape& b, const MatmulOptions& options) {
  return {.name = "matmul/" + std::move(name),
          .inputs = {uniform(a), uniform(b)},
          .apply = [options](const Variables& v) { return Variables{matmul(v[0], v[1], options)}; },
          .differentiable = {0, 1},
          .second_order = true};
}

Case benchmark(std::string name, std::int64_t m, std::int64_t n, std::int64_t k, Compute compute) {
  return {.name = "matmul/" + std::move(name),
          .inputs = {uniform({m, k}), uniform({k, n})},
          .apply = [compute](const Variables& v) { return Variables{matmul(v[0], v[1], {.compute = compute})}; },
          .tolerance = compute == Compute::bf16 ? 1e-2 : 1e-5,
          .flops = 2.0 * static_cast<double>(m * n * k),
          .large = true};
}

}  // namespace

std::vector<Case> matmul_cases() {
  std::vector<Case> all;
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const std::string transposed = std::string(ta ? "t" : "n") + (tb ? "t" : "n");
      const MatmulOptions options{.transpose_a = ta, .transpose_b = tb};
      all.push_back(product(transposed, ta ? Shape{5, 3} : Shape{3, 5}, tb ? Shape{7, 5} : Shape{5, 7}, options));
      all.push_back(product(transposed + "_batch", ta ? Shape{2, 5, 3} : Shape{2, 3, 5},
                            tb ? Shape{2, 4, 5} : Shape{2, 5, 4}, options));
    }
  }
  all.push_back(product("row_by_column", {1, 9}, {9, 1}, {}));
  all.push_back(product("outer", {5, 1}, {1, 3}, {}));
  all.push_back(product("odd", {17, 33}, {33, 19}, {}));
  all.push_back(product("no_rows", {0, 5}, {5, 3}, {}));
  all.push_back(product("no_inner", {3, 0}, {0, 4}, {}));
  for (const auto& [name, activation] : kActivations) {
    const Activation kind = activation;
    all.push_back({.name = std::string("matmul/linear_") + name,
                   .inputs = {uniform({5, 7}), uniform({3, 7}), uniform({3})},
                   .apply = [kind](const Variables& v) { return Variables{linear(v[0], v[1], v[2], kind, 0.2)}; },
                   .differentiable = {0, 1, 2},
                   .second_order = true});
  }
  all.push_back({.name = "matmul/bias_of_nothing",
                 .inputs = {uniform({2, 0}), uniform({3, 0}), uniform({3})},
                 .apply = [](const Variables& v) { return Variables{linear(v[0], v[1], v[2])}; },
                 .differentiable = {2}});
  all.push_back({.name = "matmul/bf16",
                 .inputs = {uniform({17, 33}), uniform({33, 19})},
                 .apply = [](const Variables& v) { return Variables{matmul(v[0], v[1], {.compute = Compute::bf16})}; },
                 .tolerance = 1e-2});
  all.push_back(benchmark("square_large", 512, 512, 512, Compute::f32));
  all.push_back(benchmark("square_bf16_large", 512, 512, 512, Compute::bf16));
  all.push_back(benchmark("thin_large", 64, 120, 400, Compute::f32));
  return all;
}

}  // namespace counterfoil::cases
