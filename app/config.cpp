#include "app/config.h"

#include <limits>

#include <toml++/toml.h>

#include "data/idx.h"
#include "data/splits.h"
#include "kernels/device.h"
#include "kernels/error.h"
#include "tensor/nearest_name.h"

namespace counterfoil::app {

namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 20U;

toml::table parse(const std::string& text, const std::string& name) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    std::string reason(error.description());
    for (char& c : reason) c = c == '\n' || c == '\r' ? ' ' : c;
    fail("{}:{}: not TOML: {}", name, error.source().begin.line, reason);
  }
}

nn::KeyValue value_of(const std::string& key, const toml::node& node) {
  if (const auto flag = node.value_exact<bool>()) return *flag;
  if (const auto whole = node.value_exact<std::int64_t>()) return *whole;
  if (const auto real = node.value_exact<double>()) return *real;
  if (const auto text = node.value_exact<std::string>()) return *text;
  const char* found = node.is_table() ? "a table" : node.is_array() ? "an array" : "a date or time";
  fail("{}: expected a number, a text, true or false, found {}", in_quotes(key), found);
}

std::string toml_value(const nn::KeyValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    std::string quoted = "\"";
    for (const char c : *text) {
      if (c == '"' || c == '\\') {
        quoted += std::string("\\") + c;
      } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
        quoted += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
      } else {
        quoted += c;
      }
    }
    return quoted + "\"";
  }
  const std::string text = nn::to_text(value);
  const bool looks_whole = std::holds_alternative<double>(value) && text.find_first_of(".e") == std::string::npos;
  return looks_whole ? text + ".0" : text;
}

}  // namespace

void RunConfig::declare(nn::Keys& keys) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  keys.add(
      "data", data,
      "mnist10k, fashion-mnist, idx:DIR or images:DIR, then :CLASSES, such as mnist10k:3,8; behind it +square[=CLASS], "
      "+few=CLASS/COUNT or +side=PIXELS change the images");
  keys.add("split", split, data::split_names(), "how the data are split");
  keys.add("split_seed", split_seed, 0, kMost, "of the split's shuffle; a classifier and its explainer want the same");
  keys.add("seed", seed, 0, kMost, "of weights, batches, dropout and augmentation");
  keys.add("steps", steps, 0, std::int64_t{1} << 40, "training steps in all");
  keys.add("checkpoint_every", checkpoint_every, 1, std::int64_t{1} << 40, "steps between checkpoints");
  keys.add(
      "stop_on_collapse", stop_on_collapse,
      "end with status 3 when a generator has long drawn the same for most inputs, or for most of a class; else it "
      "trains on");
  keys.add("threads", threads, 0, 256, "CPU threads, 0: as many as the machine has; results never depend on it");
  keys.add("device", device, device_names(), "where to compute");
  keys.add("route", route,
           "how cuda and simt compute matrix products and convolutions: own, vendor, vendor-tf32, benchmark:FILE, "
           "table:FILE, or auto: vendor on cuda where cuDNN is found, else own");
}

Settings::Settings(const Kind& kind) : kind_(kind), recipe_(kind.recipe()) {
  run_.steps = kind.default_steps;
  run_.declare(keys_);
  recipe_->declare(keys_);
}

void Settings::read_toml(const std::string& text, const std::string& name) {
  const toml::table table = parse(text, name);
  const auto read = [&](const std::string& key, const toml::node& node) {
    try {
      const nn::KeyValue value = value_of(key, node);
      if (key != "kind") {
        keys_.set(key, value);
      } else if (value != nn::KeyValue(kind_.name)) {
        fail("kind: expected '{}', found {}", kind_.name, in_quotes(nn::to_text(value)));
      }
    } catch (const Error& error) {
      fail("{}:{}: {}", name, node.source().begin.line, error.what());
    }
  };
  if (const toml::node* kind = table.get("kind")) read("kind", *kind);  // another kind's keys would be unknown here
  for (const auto& [key, node] : table) {
    if (key.str() != "kind") read(std::string(key.str()), node);
  }
}

void Settings::read_toml_file(const std::filesystem::path& file) {
  const std::vector<std::uint8_t> bytes = data::read_bytes(file, kLargestFile);
  read_toml({bytes.begin(), bytes.end()}, file.string());
}

std::string Settings::to_toml(bool results_only) const {
  std::string text = fmt::format("# counterfoil {}\nkind = \"{}\"\n", version(), kind_.name);
  for (const nn::Keys::Key& key : keys_.list()) {
    if (results_only && may_change_on_resume(key.name) && key.name != "steps") continue;
    text += fmt::format("{} = {}\n", key.name, toml_value(key.value()));
  }
  try {
    (void)toml::parse(text);
  } catch (const toml::parse_error&) {
    fail("config: a text among the settings is no UTF-8");
  }
  return text;
}

bool Settings::may_change_on_resume(const std::string& key) {
  return key == "steps" || key == "checkpoint_every" || key == "stop_on_collapse" || key == "threads" ||
         key == "device" || key == "route";
}

std::string version() {
  return COUNTERFOIL_VERSION;
}

}  // namespace counterfoil::app
