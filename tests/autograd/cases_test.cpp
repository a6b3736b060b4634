#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "tensor/ops.h"
#include "tests/cases/check.h"

namespace counterfoil::cases {
namespace {

std::vector<Case> small_cases() {
  std::vector<Case> chosen;
  for (const Case& one : all_cases()) {
    if (!one.large) chosen.push_back(one);
  }
  return chosen;
}

void expect_passed(const Report& report) {
  EXPECT_TRUE(report.passed) << report.message << ", error " << report.error;
}

TEST(Cases, CoverEveryPrimitiveUnderUniqueNames) {
  std::ifstream file(std::string(COUNTERFOIL_SOURCE_DIR) + "/kernels/backend.h");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::set<std::string> operations, names;
  for (const Case& one : all_cases()) {
    operations.insert(one.operation());
    EXPECT_TRUE(names.insert(one.name).second) << one.name;
  }
  const std::regex declaration("virtual void ([a-z0-9_]+)\\(");
  int primitives = 0;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), declaration); match != std::sregex_iterator();
       ++match, ++primitives) {
    EXPECT_TRUE(operations.contains((*match)[1])) << "no case for the primitive " << (*match)[1];
  }
  EXPECT_GE(primitives, 58);
}

TEST(Cases, HaveTheGradientsOfCentralDifferences) {
  for (const Case& one : small_cases()) {
    if (!one.differentiable.empty()) expect_passed(check_gradient(one));
  }
}

TEST(Cases, HaveTheSecondDerivativesOfCentralDifferences) {
  for (const Case& one : small_cases()) {
    if (one.second_order) expect_passed(check_second_order(one));
  }
}

TEST(Cases, AgreeInSingleAndDoublePrecisionOnTheReference) {
  for (const Case& one : small_cases()) expect_passed(compare_devices(one, reference_device()));
}

TEST(Cases, RepeatBitForBitOnTheReference) {
  for (const Case& one : small_cases()) expect_passed(check_repeat(one, reference_device()));
}

TEST(Checks, FindAWrongDerivative) {
  const auto wrong = [](double factor) {
    return [factor](const Variables& v) {
      return Variables{
          record("wrong", v[0].value(), {v[0]}, [factor](const Node&, const Variable& d_y, const Needs&) -> Variables {
            return {convert(d_y.value(), d_y.dtype(), factor)};
          })};
    };
  };
  const Case subject{
      .name = "wrong/derivative", .inputs = {uniform({3})}, .apply = wrong(1.001), .differentiable = {0}};
  EXPECT_FALSE(check_gradient(subject).passed);
  const Case right{.name = "wrong/derivative", .inputs = {uniform({3})}, .apply = wrong(1), .differentiable = {0}};
  EXPECT_TRUE(check_gradient(right).passed);
  // The rule above is not made of recorded operations, so its second derivative is lost.
  const Case lost{.name = "wrong/derivative", .inputs = {uniform({3})}, .apply = wrong(1), .differentiable = {0}};
  EXPECT_FALSE(check_second_order(lost).passed);
}

TEST(Checks, FindADifferenceBetweenRuns) {
  int calls = 0;
  const Case subject{.name = "wrong/repeat", .inputs = {uniform({3})}, .apply = [&](const Variables& v) {
                       return Variables{Tensor::full({1}, ++calls, DType::f32, v[0].device())};
                     }};
  EXPECT_FALSE(check_repeat(subject, reference_device()).passed);
  EXPECT_FALSE(compare_devices(subject, reference_device()).passed);
}

}  // namespace
}  // namespace counterfoil::cases
