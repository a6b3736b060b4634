#include "kernels/trace.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "kernels/listening_device.h"
#include "tensor/ops.h"
#include "tests/cases/check.h"

namespace counterfoil {
namespace {

using nlohmann::json;

json events_of(Trace& trace) {
  std::string text;
  trace.write([&](std::string_view part) { text += part; });
  return json::parse(text).at("traceEvents");
}

/// The complete events, by name.
std::map<std::string, json> complete(const json& events) {
  std::map<std::string, json> found;
  for (const json& event : events) {
    if (event.at("ph") == "X") found[event.at("name")] = event;
  }
  return found;
}

class TraceOn : public testing::TestWithParam<const char*> {};

TEST_P(TraceOn, HoldsEveryCallWithShapesWorkAndTime) {
#if defined(__SANITIZE_THREAD__)
  if (std::string_view(GetParam()) == "simt") GTEST_SKIP() << "ThreadSanitizer cannot follow it";
#endif
  Trace trace;
  Device& device = trace.listened(open_device(GetParam()));
  EXPECT_EQ(&device, &trace.listened(open_device(GetParam())));
  EXPECT_EQ(device.name(), GetParam());
  {
    const Span span(device, "a phase");
    const Tensor a = Tensor::full({30, 50}, 0.5, DType::f32, device), b = Tensor::full({50, 20}, 2, DType::f32, device);
    const Tensor product = matmul(unary(UnaryOp::exp, a, 0), b);
    EXPECT_NEAR(product.to_vector<float>()[7], 50 * 2 * std::exp(0.5), 1e-3);
  }
  const json events = events_of(trace);
  EXPECT_EQ(events.at(0).at("name"), "process_name");
  EXPECT_THAT(std::string(events.at(0).at("args").at("name")), testing::StartsWith(GetParam()));
  const auto found = complete(events);
  ASSERT_TRUE(found.contains("matmul") && found.contains("unary exp") && found.contains("fill") &&
              found.contains("copy_to_host") && found.contains("a phase"))
      << events.dump(1);
  const json& matmul = found.at("matmul");
  EXPECT_EQ(matmul.at("args").at("outputs"), "f32 [30, 20]");
  EXPECT_EQ(matmul.at("args").at("inputs"), "f32 [30, 50], f32 [50, 20]");
  EXPECT_EQ(matmul.at("args").at("flops"), 2 * 30 * 50 * 20);
  EXPECT_EQ(matmul.at("args").at("bytes"), 4 * (30 * 50 + 50 * 20 + 30 * 20));
  EXPECT_EQ(matmul.at("args").at("device"), GetParam());
  EXPECT_EQ(matmul.at("cat"), "operator");
  EXPECT_EQ(found.at("unary exp").at("args").at("bytes"), 2 * 4 * 30 * 50);
  EXPECT_EQ(found.at("copy_to_host").at("args").at("bytes"), 4 * 30 * 20);
  // On one timeline, one after the other, inside the span.
  const auto begin = [&](const char* name) { return found.at(name).at("ts").get<double>(); };
  const auto end = [&](const char* name) { return begin(name) + found.at(name).at("dur").get<double>(); };
  constexpr double kRounding = 0.002;  // microseconds, of three decimals
  const char* const order[] = {"fill", "unary exp", "matmul", "copy_to_host"};
  for (std::size_t i = 0; i + 1 < std::size(order); ++i) EXPECT_LE(end(order[i]), begin(order[i + 1]) + kRounding);
  EXPECT_LE(begin("a phase"), begin("fill"));
  EXPECT_GE(end("a phase") + kRounding, end("copy_to_host"));
  EXPECT_GT(found.at("matmul").at("dur"), 0);
  EXPECT_EQ(found.at("a phase").at("cat"), "phase");
}

INSTANTIATE_TEST_SUITE_P(Devices, TraceOn, testing::Values("cpu", "reference", "simt"),
                         [](const auto& name) { return std::string(name.param); });

TEST(Trace, KeepsNoMoreThanItsLimitAndSaysSo) {
  Trace trace(10);
  Device& device = trace.listened(cpu_device());
  Tensor x = Tensor::full({4}, 0, DType::f32, device);
  for (int i = 0; i < 20; ++i) device.backend().fill(x.mutable_view(), i);
  EXPECT_EQ(x.to_vector<float>()[3], 19);
  const json events = events_of(trace);
  EXPECT_EQ(std::ranges::count_if(events, [](const json& event) { return event.at("ph") == "X"; }), 10);
  EXPECT_EQ(events.at(1).at("args").at("labels"), "12 later events left out");
}

TEST(Trace, ManyEventsAreResolvedInParts) {
  Trace trace;
  Device& device = trace.listened(cpu_device());
  Tensor x = Tensor::full({4}, 0, DType::f32, device);
  for (int i = 0; i < 10000; ++i) device.backend().fill(x.mutable_view(), i);
  const json events = events_of(trace);
  double last = 0;
  int count = 0;
  for (const json& event : events) {
    if (event.at("ph") != "X") continue;
    ++count;
    EXPECT_GE(event.at("ts").get<double>(), last - 0.002);
    last = event.at("ts").get<double>() + event.at("dur").get<double>();
  }
  EXPECT_EQ(count, 10001);
}

TEST(Trace, ACallThatThrowsDoesNotSpoilIt) {
  Trace trace;
  Device& device = trace.listened(cpu_device());
  const Tensor x = Tensor::full({4}, 1, DType::f32, device);
  Tensor wrong = Tensor::full({5}, 1, DType::f32, device);
  EXPECT_THROW(device.backend().unary(UnaryOp::exp, wrong.mutable_view(), x.view(), 0, 0), Error);
  EXPECT_EQ(unary(UnaryOp::abs, x, 0).to_vector<float>()[0], 1);
  const auto found = complete(events_of(trace));
  EXPECT_EQ(found.at("unary exp").at("dur"), 0);
  EXPECT_TRUE(found.contains("unary abs"));
}

/// Collects names, and adds up work.
class Names final : public CallListener {
 public:
  std::size_t begin(const Call& call) override {
    found.insert(std::string(call.name));
    EXPECT_GE(call.work.bytes, 0) << call.name;  // 0 for empty arrays
    EXPECT_GE(call.work.flops, 0) << call.name;
    EXPECT_FALSE(call.outputs.empty() && call.name.substr(0, 4) != "copy") << call.name;
    return 0;
  }
  void end(std::size_t) override {}
  std::size_t begin_span(std::string_view) override { return 0; }
  void end_span(std::size_t) noexcept override {}
  std::set<std::string> found;
};

TEST(ListeningDevice, PassesEveryPrimitiveOn) {
  Names names;
  ListeningDevice device(cpu_device(), names);
  for (const cases::Case& one : cases::all_cases()) {
    if (one.large) continue;
    const cases::Report report = cases::compare_devices(one, device);
    EXPECT_TRUE(report.passed) << report.message << ", error " << report.error;
  }
  std::set<std::string> primitives = names.found;
  std::erase_if(primitives, [](const std::string& name) { return name.starts_with("copy_"); });
  EXPECT_EQ(primitives.size(), 59u) << testing::PrintToString(primitives);
}

TEST(Work, CountsArraysOnceAndMultiplyAddsTwice) {
  const ConstView x{nullptr, {8, 14, 14, 6}, DType::f32}, weight{&x, {10, 3, 3, 3}, DType::f32};
  const ConstView y{nullptr, {8, 12, 12, 10}, DType::f32}, bias{&x, {10}, DType::f32};
  const Work conv = work::conv2d(y, x, weight, bias, Activation::relu);
  const double outputs = 8 * 12 * 12 * 10;
  EXPECT_EQ(conv.flops, outputs * (2 * 3 * 3 * 3 + 1 + 1));
  EXPECT_EQ(conv.bytes, 4 * (outputs + 8 * 14 * 14 * 6 + 10 * 27 + 10));
  EXPECT_EQ(work::conv2d_gradient(x, y, weight).flops, outputs * 2 * 27);
  const ConstView a{nullptr, {7, 3}, DType::f32}, b{nullptr, {5, 3}, DType::f32}, table{nullptr, {7, 5}, DType::f32};
  EXPECT_EQ(work::pairwise_distance(table, a, b).flops, 3 * 7 * 5 * 3);
  const ConstView image{nullptr, {2, 4, 5, 3}, DType::f32};
  EXPECT_EQ(work::total_variation(image).flops, 4 * 2 * 3 * (3 * 5 + 4 * 4));
  const ConstView bytes{nullptr, {100}, DType::u8}, floats{nullptr, {100}, DType::f32};
  EXPECT_EQ(work::convert(floats, bytes, 1).bytes, 500);
  const View parameters[] = {{nullptr, {10}, DType::f32}, {nullptr, {20}, DType::f32}};
  EXPECT_EQ(work::adam(parameters).bytes, 7 * 4 * 30);
  EXPECT_EQ(work::matmul(ConstView{nullptr, {6, 3, 4}, DType::f32}, ConstView{nullptr, {6, 5, 3}, DType::f32},
                         ConstView{nullptr, {6, 5, 4}, DType::f32}, true, ConstView{}, Activation::identity)
                .flops,
            2 * 6 * 3 * 4 * 5);
}

}  // namespace
}  // namespace counterfoil
