#include <cstdio>

#include <fmt/format.h>

#include "app/commands.h"
#include "app/config.h"

namespace counterfoil::app {

namespace {

void print_key(const nn::Keys::Key& key) {
  const std::string text = nn::to_text(key.default_value);
  fmt::print("  {:<24} {}\n  {:<24} {}; default {}\n", key.name, key.help, "", key.expects(),
             text.empty() ? "empty" : text);
}

struct MetricLine {
  const char *name, *what;
};

constexpr MetricLine kMetrics[] = {
    {"acc_stable", "part of the stable images that f decides like the input; 1 is best"},
    {"acc_adversarial", "part of the counterfactuals that f still decides like the input; 0 is best"},
    {"acc_target", "part of the counterfactuals that f decides as asked; 1 is best"},
    {"fd_mu", "Frechet distance, in the codes of the embedding, between real images and counterfactuals; 0 is best"},
    {"js", "Jensen-Shannon distance in the plane of the codes' two principal components, 0 to 1; 0 is best"},
    {"distance_l1", "mean absolute difference of counterfactual and input"},
    {"distance_l2", "root mean square difference of counterfactual and input"},
};

}  // namespace

int methods_command() {
  fmt::print(
      "What `counterfoil train NAME` trains. Every key is also a flag (--learning-rate 0.001) and a line of a TOML\n"
      "file for --config (learning_rate = 0.001).\n\nOf every method:\n");
  RunConfig common;
  nn::Keys keys;
  common.declare(keys);
  for (const nn::Keys::Key& key : keys.list()) {
    if (key.name != "steps") print_key(key);
  }
  for (const Kind& kind : kinds()) {
    fmt::print("\n{}: {}\n", kind.name, kind.summary);
    const Settings settings(kind);
    for (const nn::Keys::Key& key : settings.keys().list()) {
      bool shared = false;
      for (const nn::Keys::Key& other : keys.list()) shared = shared || (other.name == key.name && key.name != "steps");
      if (!shared) print_key(key);
    }
  }
  return 0;
}

int metrics_command() {
  fmt::print("What `counterfoil evaluate` measures on the test images:\n");
  for (const MetricLine& metric : kMetrics) fmt::print("  {:<18} {}\n", metric.name, metric.what);
  return 0;
}

}  // namespace counterfoil::app
