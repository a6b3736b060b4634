#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/config.h"
#include "app/figures.h"

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

nlohmann::ordered_json json_of(const Kind& kind) {
  return {{"name", kind.name}, {"paper", kind.paper}, {"description", kind.summary}};
}

nlohmann::ordered_json with_keys(const Kind& kind) {
  nlohmann::ordered_json json = json_of(kind);
  const Settings settings(kind);
  for (const nn::Keys::Key& key : settings.keys().list()) {
    nlohmann::ordered_json& one = json["keys"].emplace_back();
    one["name"] = key.name;
    std::visit([&](const auto& value) { one["default"] = value; }, key.default_value);
    one["expects"] = key.expects();
    one["help"] = key.help;
  }
  return json;
}

}  // namespace

int methods_command(const MethodsArguments& arguments) {
  if (!arguments.name.empty()) {
    const Kind& kind = kind_named(arguments.name);
    if (arguments.json) {
      fmt::print("{}\n", with_keys(kind).dump(2));
    } else {
      print_kind(kind);
    }
    return 0;
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Kind& kind : kinds()) {
    if (kind.paper.empty()) continue;
    list.push_back(json_of(kind));
    if (!arguments.json) fmt::print("{}\n", kind.name);
  }
  if (arguments.json) fmt::print("{}\n", list.dump(2));
  return 0;
}

int metrics_command() {
  fmt::print("What `counterfoil evaluate` measures on the test images:\n");
  for (const FigureMeaning& figure : kFigures) fmt::print("  {:<18} {}\n", figure.key, figure.meaning);
  return 0;
}

}  // namespace counterfoil::app
