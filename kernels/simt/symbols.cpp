#include "kernels/simt/symbols.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include "kernels/simt/runtime.h"

namespace counterfoil::simt {
namespace {

/// "void counterfoil::cuda::(anonymous namespace)::scale_kernel<float>(float*, int)" -> "scale_kernel<float>".
std::string short_name(std::string_view name) {
  std::size_t begin = 0, end = name.size();
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '(' && depth == 0 && name.substr(i).starts_with("(anonymous namespace)")) {
      i += std::string_view("(anonymous namespace)").size() - 1;
      continue;
    }
    if (c == '(' && depth == 0) {
      end = i;
      break;
    }
    depth += c == '<' ? 1 : c == '>' ? -1 : 0;
    if (depth == 0 && (c == ' ' || c == ':')) begin = i + 1;
  }
  return std::string(name.substr(begin, end - begin));
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// A file of this process and the address of its beginning in memory.
struct Module {
  std::string path;
  std::uintptr_t base = 0;
};

Module module_of(const void* address) {
  Dl_info info{};
  link_map* map = nullptr;
  if (dladdr1(address, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) == 0 || map == nullptr) return {};
  // The program itself has no name in the list.
  return {map->l_name != nullptr && map->l_name[0] != '\0' ? map->l_name : "/proc/self/exe",
          static_cast<std::uintptr_t>(map->l_addr)};
}

/// The answer to one address: pairs of lines, function and file:line, from the innermost inlined call outwards to the
/// function that was compiled.
Place outermost_of_layer(const std::vector<std::string>& lines) {
  Place place;
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    const std::string_view where = lines[i + 1];
    const std::size_t colon = where.rfind(':');
    place.file = base_name(where.substr(0, colon));
    place.line = std::atoi(where.data() + std::min(colon + 1, where.size()));
    if (where.find("kernels/simt/") == std::string_view::npos) break;
  }
  if (place.file == "??") return {};
  if (lines.size() >= 2) place.function = short_name(lines[(lines.size() - 2) / 2 * 2]);
  return place;
}

}  // namespace

std::string Place::to_string() const {
  return file.empty() ? "unknown line" : fmt::format("{}:{}", file, line);
}

std::vector<Place> places_of(const std::vector<const void*>& addresses) {
  std::vector<Place> places(addresses.size());
  std::map<std::string, std::vector<std::size_t>> by_module;
  for (std::size_t i = 0; i < addresses.size(); ++i) by_module[module_of(addresses[i]).path].push_back(i);
  for (const auto& [path, indices] : by_module) {
    if (path.empty()) continue;
    char* const real = realpath(path.c_str(), nullptr);
    std::string command = fmt::format("addr2line -a -i -f -C -e '{}'", real != nullptr ? real : path.c_str());
    std::free(real);
    for (const std::size_t i : indices) {
      command += fmt::format(" {:#x}", reinterpret_cast<std::uintptr_t>(addresses[i]) - module_of(addresses[i]).base);
    }
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>/dev/null").c_str(), "r"), &pclose);
    if (pipe == nullptr) continue;
    std::vector<std::vector<std::string>> answers;
    char* line = nullptr;
    std::size_t capacity = 0;
    for (ssize_t length; (length = getline(&line, &capacity, pipe.get())) > 0;) {
      const std::string_view text(line, static_cast<std::size_t>(length) - 1);
      if (text.starts_with("0x")) {
        answers.emplace_back();
      } else if (!answers.empty()) {
        answers.back().emplace_back(text);
      }
    }
    std::free(line);
    for (std::size_t k = 0; k < std::min(indices.size(), answers.size()); ++k) {
      places[indices[k]] = outermost_of_layer(answers[k]);
    }
  }
  return places;
}

std::string function_name(const void* function) {
  static std::mutex mutex;
  static std::map<const void*, std::string> known;
  const std::lock_guard lock(mutex);
  std::string& name = known[function];
  if (name.empty()) {
    name = places_of({function}).front().function;
    if (name.empty()) name = fmt::format("at {}", function);
  }
  return name;
}

}  // namespace counterfoil::simt
