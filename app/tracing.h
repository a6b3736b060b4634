#pragma once

#include <filesystem>
#include <functional>

namespace counterfoil::app {

/// Runs a command and writes what its devices did to `file` (kernels/trace.h), whole or not at all, also when the
/// command fails. An empty name: no trace. Throws Error, before the command runs, where the file cannot be written.
int run_traced(const std::filesystem::path& file, const std::function<int()>& command);

}  // namespace counterfoil::app
