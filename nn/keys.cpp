#include "nn/keys.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/ranges.h>

#include "kernels/error.h"
#include "tensor/nearest_name.h"

namespace counterfoil::nn {

namespace {

std::string shown(const KeyValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? in_quotes(*text) : to_text(value);
}

[[noreturn]] void refuse(const Keys::Key& key, const std::string& found) {
  fail("{}: expected {}, found {}", key.name, key.expects(), found);
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

void add_key(std::vector<Keys::Key>& keys, Keys::Key key) {
  const auto legal = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (key.name.empty() || !std::ranges::all_of(key.name, legal)) fail("key {}: no snake_case", in_quotes(key.name));
  if (std::ranges::any_of(keys, [&](const Keys::Key& other) { return other.name == key.name; })) {
    fail("key '{}': declared twice", key.name);
  }
  key.default_value = key.value();
  keys.push_back(std::move(key));
}

}  // namespace

KeyValue Keys::Key::value() const {
  return std::visit([](const auto* pointer) { return KeyValue(*pointer); }, field);
}

std::string Keys::Key::expects() const {
  if (std::holds_alternative<bool*>(field)) return "true or false";
  if (std::holds_alternative<std::int64_t*>(field)) {
    constexpr double kExact = 9e15;  // beyond it a double is no longer the bound itself
    if (high >= kExact)
      return fmt::format("a whole number from {:.0f} to {}", low, std::numeric_limits<std::int64_t>::max());
    return fmt::format("a whole number from {:.0f} to {:.0f}", low, high);
  }
  if (std::holds_alternative<double*>(field)) {
    if (std::isinf(low) && std::isinf(high)) return "a number";
    if (std::isinf(high)) return fmt::format("a number of at least {}", low);
    return fmt::format("a number from {} to {}", low, high);
  }
  if (choices.empty()) return "a text";
  return fmt::format("one of {}", fmt::join(choices, ", "));
}

void Keys::add(std::string name, bool& field, std::string help) {
  add_key(keys_, {std::move(name), std::move(help), &field, 0, 0, {}, {}});
}

void Keys::add(std::string name, std::int64_t& field, std::int64_t low, std::int64_t high, std::string help) {
  add_key(keys_,
          {std::move(name), std::move(help), &field, static_cast<double>(low), static_cast<double>(high), {}, {}});
}

void Keys::add(std::string name, double& field, double low, double high, std::string help) {
  add_key(keys_, {std::move(name), std::move(help), &field, low, high, {}, {}});
}

void Keys::add(std::string name, std::string& field, std::string help) {
  add_key(keys_, {std::move(name), std::move(help), &field, 0, 0, {}, {}});
}

void Keys::add(std::string name, std::string& field, std::vector<std::string> choices, std::string help) {
  add_key(keys_, {std::move(name), std::move(help), &field, 0, 0, std::move(choices), {}});
}

const Keys::Key& Keys::at(std::string_view name) const {
  std::vector<std::string> names;
  for (const Key& key : keys_) {
    if (key.name == name) return key;
    names.push_back(key.name);
  }
  if (names.empty()) fail("unknown key {}: there are none here", in_quotes(name));
  fail("unknown key {}; the nearest is '{}'", in_quotes(name), nearest_name(name, names));
}

void Keys::set(std::string_view name, const KeyValue& value) {
  const Key& key = at(name);
  const auto* whole = std::get_if<std::int64_t>(&value);
  if (auto* const* field = std::get_if<bool*>(&key.field)) {
    const bool* flag = std::get_if<bool>(&value);
    if (flag == nullptr) refuse(key, shown(value));
    **field = *flag;
  } else if (auto* const* integer = std::get_if<std::int64_t*>(&key.field)) {
    if (whole == nullptr || static_cast<double>(*whole) < key.low || static_cast<double>(*whole) > key.high) {
      refuse(key, shown(value));
    }
    **integer = *whole;
  } else if (auto* const* number = std::get_if<double*>(&key.field)) {
    const auto* real = std::get_if<double>(&value);
    if (whole == nullptr && real == nullptr) refuse(key, shown(value));
    const double given = whole != nullptr ? static_cast<double>(*whole) : *real;
    if (!(given >= key.low && given <= key.high) || !std::isfinite(given)) refuse(key, shown(value));
    **number = given;
  } else {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) refuse(key, shown(value));
    if (!key.choices.empty() && std::ranges::find(key.choices, *text) == key.choices.end()) {
      fail("{}: expected {}, found {}; the nearest is '{}'", key.name, key.expects(), in_quotes(*text),
           nearest_name(*text, key.choices));
    }
    *std::get<std::string*>(key.field) = *text;
  }
}

void Keys::set_text(std::string_view name, std::string_view text) {
  const Key& key = at(name);
  std::int64_t whole = 0;
  double real = 0;
  if (std::holds_alternative<std::string*>(key.field)) {
    set(name, std::string(text));
  } else if (text == "true" || text == "false") {
    set(name, text == "true");
  } else if (parse_number(text, whole)) {
    set(name, whole);
  } else if (std::holds_alternative<std::int64_t*>(key.field)) {
    refuse(key, in_quotes(text));
  } else if (parse_number(text, real)) {
    set(name, real);
  } else {
    refuse(key, in_quotes(text));
  }
}

std::string to_text(const KeyValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return std::get<std::string>(value);
}

}  // namespace counterfoil::nn
