#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "kernels/cuda/route_table.h"
#include "kernels/error.h"

namespace counterfoil::cuda {

RouteTable::RouteTable(std::filesystem::path file, bool may_be_absent) : file_(std::move(file)) {
  constexpr std::size_t kMostRows = 1 << 20;
  std::ifstream stream(file_);
  if (!stream) {
    if (may_be_absent && !std::filesystem::exists(file_)) return;
    fail("{}: a table of routes: cannot be read", file_.string());
  }
  std::size_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    if (++number > kMostRows) fail("{}: a table of routes: more than {} lines", file_.string(), kMostRows);
    if (line.empty() || line.front() == '#') continue;
    std::istringstream fields(line);
    std::string choice, key;
    Row row;
    fields >> choice >> row.own >> row.vendors >> std::ws;
    std::getline(fields, key);
    if ((choice != "own" && choice != "vendor") || key.empty()) {
      fail("{}:{}: expected 'own' or 'vendor', two times in microseconds and a product, found '{}'", file_.string(),
           number, line.substr(0, 80));
    }
    row.vendor = choice == "vendor";
    rows_[key] = row;
  }
}

std::optional<bool> RouteTable::is_vendor(const std::string& key) const {
  const auto found = rows_.find(key);
  return found != rows_.end() ? std::optional(found->second.vendor) : std::nullopt;
}

void RouteTable::add(const std::string& key, double own_microseconds, double vendor_microseconds) {
  rows_[key] = {vendor_microseconds <= own_microseconds, own_microseconds, vendor_microseconds};
  write();
}

void RouteTable::write() const {
  std::string text = "# which implementation, microseconds of the own kernels, of the vendor's, product\n";
  for (const auto& [key, row] : rows_) {
    text += fmt::format("{} {:.2f} {:.2f} {}\n", row.vendor ? "vendor" : "own", row.own, row.vendors, key);
  }
  // Whole or not at all: another process may read it.
  const std::filesystem::path partial = file_.string() + ".partial";
  std::ofstream stream(partial, std::ios::binary);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream) std::filesystem::rename(partial, file_, error);
  if (!stream || error) fail("{}: a table of routes: cannot be written", file_.string());
}

}  // namespace counterfoil::cuda
