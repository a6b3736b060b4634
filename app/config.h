#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "app/registry.h"

namespace counterfoil::app {

/// The keys that every `train` has.
struct RunConfig {
  std::string data = "mnist10k:3,8";
  std::string split = "standard";
  std::int64_t split_seed = 0;
  std::int64_t seed = 0;
  std::int64_t steps = 0;
  std::int64_t checkpoint_every = 200;
  bool stop_on_collapse = true;
  std::int64_t threads = 0;
  std::string device = "auto";
  std::string route = "auto";

  void declare(nn::Keys& keys);
};

/// The settings of one run: RunConfig and the config of its kind, in one set of keys.
class Settings {
 public:
  explicit Settings(const Kind& kind);
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  const Kind& kind() const { return kind_; }
  const RunConfig& run() const { return run_; }
  nn::Keys& keys() { return keys_; }
  const nn::Keys& keys() const { return keys_; }
  Recipe& recipe() { return *recipe_; }

  /// Sets keys from the text of a TOML file; `name` stands in the messages. Throws Error with the line on anything but
  /// known keys with values of their type and range, and on a `kind` that is not this one.
  void read_toml(const std::string& text, const std::string& name);
  void read_toml_file(const std::filesystem::path& file);
  /// Every key with its value, in the order of declaration; read_toml() of it restores the settings exactly. Without
  /// the keys of where and how it ran (threads, device, route, checkpoint_every, stop_on_collapse) for what must have
  /// the same bytes.
  std::string to_toml(bool results_only = false) const;

  /// What may change when a run is continued: steps, checkpoint_every, stop_on_collapse, threads, device, route.
  static bool may_change_on_resume(const std::string& key);

 private:
  const Kind& kind_;
  RunConfig run_;
  std::unique_ptr<Recipe> recipe_;
  nn::Keys keys_;
};

/// The build: version, revision where known, build type.
std::string version();

}  // namespace counterfoil::app
