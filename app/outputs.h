#pragma once

#include <filesystem>
#include <string>
#include <vector>

// What a command will write, looked at before the work of finding out what.

namespace counterfoil::app {

/// Throws Error when a file cannot be written, two of them are one, or one is among `inputs`, which it would replace.
/// Empty names are left out.
void check_outputs(const std::vector<std::filesystem::path>& files,
                   const std::vector<std::filesystem::path>& inputs = {});

/// Makes a folder with those above it where they are missing, for pictures called `names` and an ending. Throws Error
/// with the system's reason, when nothing can be written in it, and when two have one name, so that their pictures
/// would be one file.
void prepare_folder(const std::filesystem::path& folder, const std::vector<std::string>& names);

}  // namespace counterfoil::app
