#include <fmt/format.h>

#include "app/commands.h"
#include "kernels/error.h"
#include "tests/cases/check.h"

namespace counterfoil::app {

int selftest_command(const SelftestArguments& arguments) {
  Device& device = open_device(arguments.where);
  int run = 0, failed = 0;
  double worst = 0;
  std::string worst_name;
  const auto check = [&](const cases::Case& subject, const char* what, const cases::Report& report) {
    if (report.passed) return;
    ++failed;
    fmt::print("FAILED {} ({}): {}\n", subject.name, what, report.message);
  };
  for (const cases::Case& subject : cases::all_cases()) {
    if (subject.large || subject.name.find(arguments.only) == std::string::npos) continue;
    ++run;
    const cases::Report compared = cases::compare_devices(subject, device);
    check(subject, "against the reference", compared);
    check(subject, "the same bits twice and with any number of threads", cases::check_repeat(subject, device));
    if (compared.error / subject.tolerance > worst) {
      worst = compared.error / subject.tolerance;
      worst_name = subject.name;
    }
  }
  if (run == 0) fail("selftest: no case has '{}' in its name", arguments.only);
  fmt::print("{} ({}): {} cases, {} failures; the largest error is {:.0f}% of its tolerance ({})\n", device.name(),
             device.description(), run, failed, 100 * worst, worst_name);
  return failed == 0 ? 0 : 1;
}

}  // namespace counterfoil::app
