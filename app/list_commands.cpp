#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/config.h"
#include "kernels/error.h"
#include "tensor/nearest_name.h"

namespace counterfoil::app {

namespace {

void print_key(const nn::Keys::Key& key) {
  const std::string text = nn::to_text(key.default_value);
  fmt::print("  {:<24} {}\n  {:<24} {}; default {}\n", key.name, key.help, "", key.expects(),
             text.empty() ? "empty" : text);
}

void print_kind(const Kind& kind) {
  fmt::print("{}: {}\n", kind.name, kind.summary);
  if (!kind.paper.empty()) fmt::print("{}\n", kind.paper);
  fmt::print(
      "\nEvery key is also a flag (--learning-rate 0.001) and a line of a TOML file for --config (learning_rate = "
      "0.001).\n");
  const Settings settings(kind);
  for (const nn::Keys::Key& key : settings.keys().list()) print_key(key);
}

struct MetricLine {
  const char *name, *what;
};

constexpr MetricLine kMetrics[] = {
    {"acc_stable", "part of the stable images, or else reconstructions, that f decides like the input; 1 is best"},
    {"acc_adversarial", "part of the counterfactuals that f still decides like the input; 0 is best"},
    {"acc_target", "part of the counterfactuals that f decides as asked; 1 is best"},
    {"flip_rate", "part of the counterfactuals that f decides otherwise than the input; 1 is best"},
    {"fd_mu", "Frechet distance, in the codes of the embedding, between real images and counterfactuals; 0 is best"},
    {"js", "Jensen-Shannon distance in the plane of the codes' two principal components, 0 to 1; 0 is best"},
    {"distance_l1", "mean absolute difference of counterfactual and input"},
    {"distance_l2", "root mean square difference of counterfactual and input"},
    {"mask_size", "mean of the masks, of methods that draw which part may change, 0 to 1"},
    {"seconds_per_image", "wall time of an explanation"},
    {"peak_memory_mib", "the most that the explanations held on the device at once"},
};

}  // namespace

int methods_command(const MethodsArguments& arguments) {
  if (!arguments.name.empty()) {
    if (arguments.json) fail("methods: --json lists all methods; leave out {}", in_quotes(arguments.name));
    print_kind(kind_named(arguments.name));
    return 0;
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Kind& kind : kinds()) {
    if (kind.paper.empty()) continue;
    list.push_back({{"name", kind.name}, {"paper", kind.paper}, {"description", kind.summary}});
    if (!arguments.json) fmt::print("{}\n", kind.name);
  }
  if (arguments.json) fmt::print("{}\n", list.dump(2));
  return 0;
}

int metrics_command() {
  fmt::print("What `counterfoil evaluate` measures on the test images:\n");
  for (const MetricLine& metric : kMetrics) fmt::print("  {:<18} {}\n", metric.name, metric.what);
  return 0;
}

}  // namespace counterfoil::app
