#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/config.h"
#include "tests/app/program.h"

// docs/methods against the program: a page per method with the parts that every page has, and tables of keys that name
// every key of the program with its default, and no other.

namespace counterfoil::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

using Defaults = std::map<std::string, std::string>;  // key -> default as text

const fs::path kPages = fs::path(COUNTERFOIL_SOURCE_DIR) / "docs/methods";

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" `"), last = text.find_last_not_of(" `");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(trimmed(text.substr(begin, end - begin)));
    if (end == std::string::npos) return parts;
    begin = end + separator.size();
  }
}

/// A number in the one form that to_text() has; other texts as they are.
std::string normal(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole_text = !text.empty() && error == std::errc() && end == text.data() + text.size();
  return whole_text ? nn::to_text(number) : text;
}

/// The keys of the table under a heading: rows of `key`s, as many defaults (an empty cell is the empty text), and where
/// they come from.
Defaults table_under(const fs::path& page, const std::string& heading) {
  std::istringstream lines(bytes_of(page));
  Defaults defaults;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) inside = line == "## " + heading;
    if (inside && !defaults.empty() && !line.starts_with("|")) break;  // further tables are of other things
    if (!inside || !line.starts_with("| `")) continue;
    const std::vector<std::string> cells = split(line, "|");
    EXPECT_EQ(cells.size(), 5u) << page << ": " << line;
    if (cells.size() != 5) continue;
    const std::vector<std::string> keys = split(cells[1], "`, `"), values = split(cells[2], ", ");
    EXPECT_EQ(keys.size(), values.size()) << page << ": " << line;
    EXPECT_NE(cells[3], "") << page << ": " << line;
    for (std::size_t i = 0; i < std::min(keys.size(), values.size()); ++i) {
      EXPECT_TRUE(defaults.emplace(keys[i], normal(values[i])).second) << page << " names " << keys[i] << " twice";
    }
  }
  EXPECT_FALSE(defaults.empty()) << page << " has no table under " << heading;
  return defaults;
}

Defaults keys_of(const Kind& kind) {
  const Settings settings(kind);
  Defaults defaults;
  for (const nn::Keys::Key& key : settings.keys().list()) defaults[key.name] = normal(nn::to_text(key.default_value));
  return defaults;
}

void expect_same(const std::string& name, const Defaults& documented, const Defaults& program) {
  for (const auto& [key, value] : program) {
    const auto found = documented.find(key);
    ASSERT_NE(found, documented.end()) << name << ": no page names its key " << key;
    EXPECT_EQ(found->second, value) << name << ": " << key;
  }
  for (const auto& [key, value] : documented) EXPECT_TRUE(program.contains(key)) << name << " has no key " << key;
}

TEST(MethodPages, NameEveryKeyWithItsDefaultAndNoOther) {
  const fs::path index = kPages / "README.md";
  const Defaults of_every_run = table_under(index, "Keys of every run");
  const Defaults of_every_method = table_under(index, "Keys of every method");
  for (const Kind& kind : kinds()) {
    const bool method = !kind.paper.empty();
    Defaults documented = method ? table_under(kPages / (kind.name + ".md"), "Keys")
                                 : table_under(index, "Keys of `train " + kind.name + "`");
    documented.insert(of_every_run.begin(), of_every_run.end());
    if (method) documented.insert(of_every_method.begin(), of_every_method.end());
    expect_same(kind.name, documented, keys_of(kind));
  }
}

TEST(MethodPages, HaveTheSameParts) {
  const std::string index = bytes_of(kPages / "README.md");
  std::size_t methods = 0;
  for (const Kind& kind : kinds()) {
    if (kind.paper.empty()) continue;
    ++methods;
    const std::string page = bytes_of(kPages / (kind.name + ".md"));
    for (const char* part : {"\nIt answers", "\n## How it works\n", "\n## Keys\n", "\n## What it costs\n",
                             "\n    counterfoil train ", "\n!["}) {
      EXPECT_THAT(page, HasSubstr(part)) << kind.name;
    }
    EXPECT_THAT(page, HasSubstr("counterfoil train " + kind.name + " "));
    EXPECT_THAT(index, HasSubstr("(" + kind.name + ".md)"));
  }
  std::size_t pages = 0;
  for (const auto& entry : fs::directory_iterator(kPages)) pages += entry.path().extension() == ".md" ? 1 : 0;
  EXPECT_EQ(pages, methods + 1) << "one a method, and the index";
}

}  // namespace
}  // namespace counterfoil::app
