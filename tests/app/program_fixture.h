#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/app/program.h"

namespace counterfoil::app {

/// The program in a folder of its own, with tiny digits in data/.
class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    write_idx_folder(folder_ / "data", 60, 12);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Arguments training(const std::string& out, const Arguments& more = {}) const {
    Arguments arguments = {"train", "classifier", "--data", "idx:" + path("data"), "--out", path(out), "--steps",
                           "40",    "--batch",    "8",      "--checkpoint-every",  "7"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Outcome go(const Arguments& arguments, std::uint64_t file_limit = 0) const {
    return run(arguments, folder_, file_limit);
  }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()));
  }

  // Status 2, one line on stderr with the text in it, and nothing new in the folder.
  void expect_refused(const Arguments& arguments, const std::string& text) const {
    go({"--version"});  // so that the files of stdout and stderr exist
    const std::size_t before = entries();
    const Outcome outcome = go(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.errors;
    EXPECT_EQ(outcome.error_lines().size(), 1u) << outcome.errors;
    EXPECT_THAT(outcome.errors, testing::StartsWith("counterfoil: "));
    EXPECT_THAT(outcome.errors, testing::HasSubstr(text));
    EXPECT_EQ(outcome.output, "");
    EXPECT_EQ(entries(), before);
  }

  static void expect_same_results(const std::filesystem::path& a, const std::filesystem::path& b) {
    for (const char* file : {"model.safetensors", "metrics.csv", "checkpoint.safetensors", "splits.json"}) {
      ASSERT_FALSE(bytes_of(a / file).empty()) << file;
      EXPECT_TRUE(bytes_of(a / file) == bytes_of(b / file)) << file;
    }
  }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("counterfoil_program_" + std::to_string(::getpid()));
};

}  // namespace counterfoil::app
