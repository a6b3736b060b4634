#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace counterfoil::nn {

/// A setting's value, as a config file or a flag gives it.
using KeyValue = std::variant<bool, std::int64_t, double, std::string>;

/// The keys of one trainable thing, each bound to a field of its config struct:
///
///   struct ClassifierConfig {
///     std::int64_t batch = 128;
///     double learning_rate = 1e-4;
///     void declare(Keys& keys) {
///       keys.add("batch", batch, 1, 4096, "images per step");
///       keys.add("learning_rate", learning_rate, 0, 1, "of Adam, at the start");
///     }
///   };
///
/// This is the only place where a key is written down: flags, config files, their checks, `counterfoil methods` and the
/// nearest-name suggestions all come from it. The field's value when it is added is the default. The struct must
/// outlive the Keys and keep its address.
class Keys {
 public:
  /// Names are snake_case and unique; Error otherwise. Ranges are closed.
  void add(std::string name, bool& field, std::string help);
  void add(std::string name, std::int64_t& field, std::int64_t low, std::int64_t high, std::string help);
  void add(std::string name, double& field, double low, double high, std::string help);
  void add(std::string name, std::string& field, std::string help);
  /// One of the choices.
  void add(std::string name, std::string& field, std::vector<std::string> choices, std::string help);

  struct Key {
    std::string name, help;
    std::variant<bool*, std::int64_t*, double*, std::string*> field;
    double low = 0, high = 0;          ///< of numbers
    std::vector<std::string> choices;  ///< of texts; empty: any
    KeyValue default_value;

    KeyValue value() const;
    /// "a whole number from 1 to 4096", "true or false", "one of paper, official", ...
    std::string expects() const;
  };
  /// In the order of declaration.
  const std::vector<Key>& list() const { return keys_; }
  /// Throws Error that names the nearest key when there is none of that name.
  const Key& at(std::string_view name) const;

  /// Sets a field. A whole number is accepted for a number; nothing else is converted. Throws Error naming the key,
  /// what it expects and what was found.
  void set(std::string_view name, const KeyValue& value);
  /// The same from the text of a flag.
  void set_text(std::string_view name, std::string_view text);

 private:
  std::vector<Key> keys_;
};

/// A value as text: numbers round-trip exactly, texts stand as they are.
std::string to_text(const KeyValue& value);

}  // namespace counterfoil::nn
