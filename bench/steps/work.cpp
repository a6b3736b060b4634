#include "bench/steps/work.h"

#include <map>

#include <fmt/ranges.h>

#include "bench/steps/digits.h"
#include "bench/steps/methods.h"
#include "kernels/error.h"

namespace counterfoil::bench {

namespace {

Step lenet_step(Device& device) {
  const auto classifier = std::make_shared<DigitsClassifier>(device);
  return [classifier] { classifier->step(); };
}

const std::map<std::string, Step (*)(Device&)>& works() {
  static const std::map<std::string, Step (*)(Device&)> table = {{"lenet", lenet_step},
                                                                 {"cyce", cyce_step},
                                                                 {"syce", syce_step},
                                                                 {"pe64", pe64_step},
                                                                 {"explaingan", explaingan_step},
                                                                 {"ganmex28",
                                                                  [](Device& device) {
                                                                    return ganmex_step({28, 28, 1}, device);
                                                                  }},
                                                                 {"ganmex32",
                                                                  [](Device& device) {
                                                                    return ganmex_step({32, 32, 3}, device);
                                                                  }},
                                                                 {"cdeepex", cdeepex_step}};
  return table;
}

}  // namespace

std::vector<std::string> work_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : works()) names.push_back(name);
  return names;
}

Step make_work(const std::string& name, Device& device) {
  const auto found = works().find(name);
  if (found == works().end()) fail("work '{}': expected one of {}", name, fmt::join(work_names(), ", "));
  return found->second(device);
}

}  // namespace counterfoil::bench
