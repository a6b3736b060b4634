#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace counterfoil::cuda {

/// Which implementation runs which product, in a text file: lines "own|vendor OWN_US VENDOR_US KEY", in order of their
/// keys, and comments that begin with #.
class RouteTable {
 public:
  /// Reads the file. Throws Error naming the line that is not understood, and where there is no file unless
  /// `may_be_absent`.
  RouteTable(std::filesystem::path file, bool may_be_absent);

  /// Whether the vendor's is chosen; nothing where the key is not in the table.
  std::optional<bool> is_vendor(const std::string& key) const;
  /// Chooses the faster, and writes the file anew.
  void add(const std::string& key, double own_microseconds, double vendor_microseconds);

 private:
  struct Row {
    bool vendor = true;
    double own = 0, vendors = 0;
  };
  void write() const;

  std::filesystem::path file_;
  std::map<std::string, Row> rows_;
};

}  // namespace counterfoil::cuda
