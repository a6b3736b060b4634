#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/attribution_evaluation.h"
#include "app/attribution_registry.h"
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

void print_figure(const char* key, const char* meaning) {
  fmt::print("  {:<21} {}\n", key, meaning);
}

// What is listed: its name, where it is from, what it is, and more in its JSON; with its keys when it is asked for.
struct Entry {
  std::string name, paper, summary;
  nlohmann::ordered_json more = nlohmann::ordered_json::object();
};

nlohmann::ordered_json json_of(const Entry& entry) {
  nlohmann::ordered_json json = {{"name", entry.name}, {"paper", entry.paper}, {"description", entry.summary}};
  json.update(entry.more);
  return json;
}

void list(const std::vector<Entry>& entries, bool json) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Entry& entry : entries) {
    all.push_back(json_of(entry));
    if (!json) fmt::print("{}\n", entry.name);
  }
  if (json) fmt::print("{}\n", all.dump(2));
}

void show(const Entry& entry, const nn::Keys& keys, const char* about_keys, bool as_json) {
  if (!as_json) {
    fmt::print("{}: {}\n", entry.name, entry.summary);
    if (!entry.paper.empty()) fmt::print("{}\n", entry.paper);
    for (const auto& [name, value] : entry.more.items()) fmt::print("{}: {}\n", name, value.get<std::string>());
    fmt::print("\n{}\n", keys.list().empty() ? "It has no keys." : about_keys);
    for (const nn::Keys::Key& key : keys.list()) print_key(key);
    return;
  }
  nlohmann::ordered_json json = json_of(entry);
  json["keys"] = nlohmann::ordered_json::array();
  for (const nn::Keys::Key& key : keys.list()) {
    nlohmann::ordered_json& one = json["keys"].emplace_back();
    one["name"] = key.name;
    std::visit([&](const auto& value) { one["default"] = value; }, key.default_value);
    one["expects"] = key.expects();
    one["help"] = key.help;
  }
  fmt::print("{}\n", json.dump(2));
}

Entry entry_of(const Kind& kind) {
  return {kind.name, kind.paper, kind.summary};
}

Entry entry_of(const AttributionKind& kind) {
  static constexpr const char* kUses[] = {"none", "one for each image", "several for each image"};
  return {kind.name,
          kind.paper,
          kind.summary,
          {{"baseline", kUses[static_cast<std::size_t>(kind.make()->baseline_use())]}}};
}

}  // namespace

int methods_command(const ListArguments& arguments) {
  if (!arguments.name.empty()) {
    const Kind& kind = kind_named(arguments.name);
    show(entry_of(kind), Settings(kind).keys(),
         "Every key is also a flag (--learning-rate 0.001) and a line of a TOML file for --config (learning_rate = "
         "0.001).",
         arguments.json);
    return 0;
  }
  std::vector<Entry> entries;
  for (const Kind& kind : kinds()) {
    if (!kind.paper.empty()) entries.push_back(entry_of(kind));
  }
  list(entries, arguments.json);
  return 0;
}

int attributions_command(const ListArguments& arguments) {
  if (!arguments.name.empty()) {
    const AttributionKind& kind = attribution_named(arguments.name);
    const std::unique_ptr<methods::AttributionMethod> method = kind.make();
    nn::Keys keys;
    method->declare(keys);
    show(entry_of(kind), keys, "Every key is also a flag of `counterfoil attribute`.", arguments.json);
    return 0;
  }
  std::vector<Entry> entries;
  for (const AttributionKind& kind : attribution_kinds()) entries.push_back(entry_of(kind));
  list(entries, arguments.json);
  return 0;
}

int metrics_command() {
  fmt::print("What `counterfoil evaluate` measures on the test images:\n");
  for (const FigureMeaning& figure : kFigures) print_figure(figure.key, figure.meaning);
  fmt::print("\nWhat `counterfoil substitutability` measures:\n");
  for (const FigureMeaning& figure : kSubstitutabilityFigures) print_figure(figure.key, figure.meaning);
  fmt::print("\nWhat `counterfoil evaluate-attributions` measures, means over the images:\n");
  for (const AttributionFigure& figure : attribution_figures()) print_figure(figure.key, figure.meaning);
  return 0;
}

}  // namespace counterfoil::app
