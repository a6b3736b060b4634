#pragma once

#include <functional>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "nn/keys.h"

// What several subcommands do with their flags.

namespace counterfoil::app {

/// "learning_rate" -> "--learning-rate"
std::string flag_of(std::string key);

/// A flag for each key, with its help, range and default; what is given goes into `flags` under the key's name.
void add_keys(CLI::App& command, const nn::Keys& keys, std::map<std::string, std::string>& flags);

/// --device, --route and --threads, with the help of the keys of `train`.
void add_where(CLI::App& command, Where& where);

/// The subcommands that make and measure attributions; the one that is chosen sets `action`.
struct AttributionArguments {
  AttributeArguments attribute;
  EvaluateAttributionsArguments evaluate;
  AttributionPanelArguments panel;
};
void add_attributions(CLI::App& program, AttributionArguments& arguments, std::function<int()>& action);
/// The one that lists them.
void add_attribution_list(CLI::App& program, ListArguments& arguments, std::function<int()>& action);

}  // namespace counterfoil::app
