#include "app/flags.h"

#include <algorithm>

#include <fmt/format.h>

#include "app/config.h"
#include "kernels/route.h"

namespace counterfoil::app {

std::string flag_of(std::string key) {
  std::ranges::replace(key, '_', '-');
  return "--" + key;
}

void add_keys(CLI::App& command, const nn::Keys& keys, std::map<std::string, std::string>& flags) {
  for (const nn::Keys::Key& key : keys.list()) {
    const std::string text = nn::to_text(key.default_value);
    const auto set = [&flags, name = key.name](const std::string& value) { flags[name] = value; };
    CLI::Option* option = command.add_option_function<std::string>(
        flag_of(key.name), set,
        fmt::format("{} ({}{})", key.help, key.expects(), text.empty() ? "" : "; default " + text));
    option->type_name("VALUE")->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
}

void add_where(CLI::App& command, Where& where) {
  RunConfig defaults;
  nn::Keys keys;
  defaults.declare(keys);
  for (const auto& [name, field] : {std::pair{"device", &where.device}, {"route", &where.route}})
    command.add_option(flag_of(name), *field, keys.at(name).help)->type_name("NAME");
  const nn::Keys::Key& threads = keys.at("threads");
  command.add_option(flag_of("threads"), where.threads, threads.help)
      ->check(CLI::Range(static_cast<std::int64_t>(threads.low), static_cast<std::int64_t>(threads.high)))
      ->type_name("N");
}

Device& open_device(const Where& where) {
  if (where.threads > 0) set_thread_count(static_cast<int>(where.threads));
  return counterfoil::open_device(where.device, where.route);
}

}  // namespace counterfoil::app
