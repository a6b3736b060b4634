#include <utility>

#include "autograd/shaping.h"
#include "tensor/ops.h"
#include "tests/cases/case.h"

// Fill, convert, permute, broadcast, slice, pad, concat, gather, scatter, one_hot.

namespace counterfoil::cases {

namespace {

void add_fills_and_conversions(std::vector<Case>& all) {
  for (const auto& [name, shape] :
       {std::pair<const char*, Shape>{"odd", {3, 5, 7}}, {"empty", {0, 4}}, {"scalar", {}}}) {
    all.push_back({.name = std::string("fill/") + name, .inputs = {uniform(shape)}, .apply = [](const Variables& v) {
                     Tensor out = v[0].value().empty_like();
                     fill(out, -2.5);
                     return Variables{out};
                   }});
  }
  const auto convert_to = [](DType dtype, double scale) {
    return [=](const Variables& v) { return Variables{convert(v[0].value(), dtype, scale)}; };
  };
  // Beyond the range of u8 on both sides, and halves in between.
  const Input numbers = given({-3, -0.5, 0, 0.5, 1.5, 2.5, 2.75, 127.25, 254.5, 255.5, 300, 1e6, -1e6}, {13});
  all.push_back({.name = "convert/to_u8", .inputs = {numbers}, .apply = convert_to(DType::u8, 1)});
  all.push_back(
      {.name = "convert/to_u8_scaled", .inputs = {uniform({3, 5}, 0, 1)}, .apply = convert_to(DType::u8, 255)});
  all.push_back({.name = "convert/to_i32", .inputs = {numbers}, .apply = convert_to(DType::i32, 1)});
  all.push_back({.name = "convert/to_i64", .inputs = {numbers}, .apply = convert_to(DType::i64, 1)});
  all.push_back({.name = "convert/to_f32", .inputs = {numbers}, .apply = convert_to(DType::f32, 0.1)});
  all.push_back({.name = "convert/bf16_and_back", .inputs = {uniform({7, 9})}, .apply = [](const Variables& v) {
                   return Variables{convert(convert(v[0].value(), DType::bf16), DType::f32)};
                 }});
  all.push_back({.name = "convert/u8_to_real", .inputs = {index({2, 9}, 256)}, .apply = [](const Variables& v) {
                   return Variables{convert(convert(v[0].value(), DType::u8), DType::f32, 1.0 / 255)};
                 }});
}

void add_rearrangements(std::vector<Case>& all) {
  const auto add = [&](const char* name, std::vector<Input> inputs, std::function<Variables(const Variables&)> apply,
                       std::vector<std::size_t> differentiable, bool large = false) {
    all.push_back({.name = name,
                   .inputs = std::move(inputs),
                   .apply = std::move(apply),
                   .differentiable = std::move(differentiable),
                   .second_order = true,
                   .large = large});
  };
  const auto permuted = [](std::vector<int> order) {
    return [order](const Variables& v) { return Variables{permute(v[0], order)}; };
  };
  add("permute/matrix", {uniform({3, 7})}, permuted({1, 0}), {0});
  add("permute/nhwc_to_nchw", {uniform({2, 3, 5, 4})}, permuted({0, 3, 1, 2}), {0});
  add("permute/five_axes", {uniform({2, 1, 3, 2, 2})}, permuted({4, 2, 0, 1, 3}), {0});
  add("permute/identity", {uniform({2, 3})}, permuted({0, 1}), {0});
  add("permute/empty", {uniform({2, 0, 3})}, permuted({2, 0, 1}), {0});
  add("permute/large", {uniform({64, 28, 28, 32})}, permuted({0, 3, 1, 2}), {0}, true);

  const auto broadcast = [](const Shape& shape) {
    return [shape](const Variables& v) { return Variables{broadcast_to(v[0], shape)}; };
  };
  add("broadcast/channels", {uniform({1, 1, 1, 5})}, broadcast({2, 3, 3, 5}), {0});
  add("broadcast/space", {uniform({3, 1, 1, 2})}, broadcast({3, 2, 4, 2}), {0});
  add("broadcast/inner", {uniform({3, 5, 1})}, broadcast({3, 5, 4}), {0});
  add("broadcast/new_axes", {uniform({4})}, broadcast({2, 3, 4}), {0});
  add("broadcast/scalar", {uniform({1, 1})}, broadcast({3, 7}), {0});
  add("broadcast/empty", {uniform({1, 3})}, broadcast({0, 3}), {0});
  add("broadcast/planes", {uniform({2, 3})}, [](const Variables& v) { return Variables{expand_planes(v[0], 3, 2)}; },
      {0});

  const auto sliced = [](const Shape& shape, std::vector<std::int64_t> begin) {
    return [=](const Variables& v) { return Variables{slice(v[0], shape, begin)}; };
  };
  add("slice/corner", {uniform({3, 5, 7, 2})}, sliced({2, 3, 4, 2}, {1, 2, 0, 0}), {0});
  add("slice/channels", {uniform({2, 3, 3, 5})}, sliced({2, 3, 3, 2}, {0, 0, 0, 3}), {0});
  add("slice/all", {uniform({3, 4})}, sliced({3, 4}, {0, 0}), {0});
  add("slice/nothing", {uniform({3, 4})}, sliced({3, 0}, {0, 4}), {0});

  const auto padded = [](const Shape& shape, std::vector<std::int64_t> begin) {
    return [=](const Variables& v) { return Variables{pad(v[0], shape, begin)}; };
  };
  add("pad/border", {uniform({2, 3, 5, 1})}, padded({2, 6, 8, 1}, {0, 1, 3, 0}), {0});
  add("pad/batch", {uniform({1, 4})}, padded({3, 4}, {1, 0}), {0});
  add("pad/nothing_into_zeros", {uniform({0, 4})}, padded({3, 4}, {0, 0}), {0});

  const auto joined = [](int axis) { return [axis](const Variables& v) { return Variables{concat(v, axis)}; }; };
  add("concat/channels", {uniform({2, 3, 5, 2}), uniform({2, 3, 5, 3}), uniform({2, 3, 5, 1})}, joined(-1), {0, 1, 2});
  add("concat/batch", {uniform({1, 3, 2}), uniform({4, 3, 2})}, joined(0), {0, 1});
  add("concat/with_empty", {uniform({3, 0}), uniform({3, 2})}, joined(1), {0, 1});
  add("concat/one", {uniform({3, 2})}, joined(0), {0});
  add("concat/large", {uniform({64, 28, 28, 16}), uniform({64, 28, 28, 32})}, joined(3), {0, 1}, true);
}

void add_row_selections(std::vector<Case>& all) {
  const auto gather = [](const Variables& v) { return Variables{gather_rows(v[0], v[1].value())}; };
  const auto scatter = [](std::int64_t rows) {
    return [rows](const Variables& v) { return Variables{scatter_add_rows(v[0], v[1].value(), rows)}; };
  };
  all.push_back({.name = "gather_rows/table",
                 .inputs = {uniform({5, 7}), index({9}, 5)},
                 .apply = gather,
                 .differentiable = {0},
                 .second_order = true});
  all.push_back({.name = "gather_rows/images",
                 .inputs = {uniform({3, 2, 3, 1}), index({4}, 3)},
                 .apply = gather,
                 .differentiable = {0},
                 .second_order = true});
  all.push_back({.name = "gather_rows/none",
                 .inputs = {uniform({3, 2}), index({0}, 3)},
                 .apply = gather,
                 .differentiable = {0},
                 .second_order = true});
  all.push_back({.name = "scatter_add_rows/repeated",
                 .inputs = {uniform({17, 3}), index({17}, 4)},
                 .apply = scatter(4),
                 .differentiable = {0},
                 .second_order = true});
  all.push_back({.name = "scatter_add_rows/sparse",
                 .inputs = {uniform({2, 5}), index({2}, 40)},
                 .apply = scatter(40),
                 .differentiable = {0},
                 .second_order = true});
  all.push_back({.name = "scatter_add_rows/none",
                 .inputs = {uniform({0, 5}), index({0}, 4)},
                 .apply = scatter(4),
                 .differentiable = {0},
                 .second_order = true});
  const auto hot = [](const Variables& v) { return Variables{one_hot(v[0].value(), 5)}; };
  all.push_back({.name = "one_hot/classes", .inputs = {index({7}, 5)}, .apply = hot});
  all.push_back({.name = "one_hot/outside", .inputs = {index({30}, 9)}, .apply = hot});
  all.push_back({.name = "one_hot/none", .inputs = {index({0}, 5)}, .apply = hot});
}

}  // namespace

std::vector<Case> moving_cases() {
  std::vector<Case> all;
  add_fills_and_conversions(all);
  add_rearrangements(all);
  add_row_selections(all);
  return all;
}

}  // namespace counterfoil::cases
