#include <array>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/app/program_fixture.h"

// What a run survives: refused commands, another process, streams that are closed or full.

namespace counterfoil::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

using EndToEnd = ProgramTest;

TEST_F(EndToEnd, ARefusedCommandChangesNothing) {
  ASSERT_EQ(go(training("run")).status, 0);
  const std::string config = bytes_of(folder_ / "run/config.toml"), log = bytes_of(folder_ / "run/log.txt");
  expect_refused(training("run", {"--resume", "--steps", "10"}), "checkpoint.safetensors is of step 40");
  const std::string checkpoint = bytes_of(folder_ / "run/checkpoint.safetensors");
  write("run/checkpoint.safetensors", checkpoint.substr(0, checkpoint.size() - 1));
  expect_refused(training("run", {"--resume", "--steps", "50"}), "checkpoint.safetensors: truncated");
  EXPECT_EQ(bytes_of(folder_ / "run/config.toml"), config);
  EXPECT_EQ(bytes_of(folder_ / "run/log.txt"), log);
  write("run/checkpoint.safetensors", checkpoint);
  EXPECT_EQ(go({"train", "classifier", "--out", path("run"), "--resume"}).status, 0);
}

TEST_F(EndToEnd, ASecondProcessIsKeptOut) {
  fs::create_directories(folder_ / "first");
  Program first(training("run", {"--steps", "1000000"}), folder_ / "first");
  while (first.running() && !fs::exists(folder_ / "run/checkpoint.safetensors")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const std::string config = bytes_of(folder_ / "run/config.toml");
  expect_refused(training("run", {"--resume", "--steps", "2000000"}), "another process is training there");
  expect_refused(training("run"), "another process is training there");
  EXPECT_EQ(bytes_of(folder_ / "run/config.toml"), config);
  first.send(SIGTERM);
  EXPECT_EQ(first.wait().status, 128 + SIGTERM);
}

TEST_F(EndToEnd, ARunWithoutItsSettingsIsLeftAlone) {
  ASSERT_EQ(go(training("run")).status, 0);
  fs::remove(folder_ / "run/config.toml");
  const std::string model = bytes_of(folder_ / "run/model.safetensors");
  expect_refused(training("run"), "checkpoint.safetensors is there, but no config.toml beside it");
  expect_refused(training("run", {"--resume"}), "checkpoint.safetensors is there, but no config.toml beside it");
  EXPECT_EQ(bytes_of(folder_ / "run/model.safetensors"), model);
}

TEST_F(EndToEnd, ADiskFullFromTheStartLeavesNothing) {
  for (const bool existing : {false, true}) {
    if (existing) fs::create_directories(folder_ / "run");
    const Outcome outcome = go(training("run"), 300);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.errors, HasSubstr("counterfoil: cannot write " + path("run/config.toml")));
    EXPECT_EQ(fs::exists(folder_ / "run"), existing);
    EXPECT_TRUE(!existing || fs::is_empty(folder_ / "run"));
  }
}

class Streams : public ProgramTest {
 protected:
  /// A shell command in which PROGRAM is the program.
  static std::string in_shell(std::string command) {
    const std::string name = "PROGRAM";
    return command.replace(command.find(name), name.size(), std::string(COUNTERFOIL_BINARY_DIR) + "/counterfoil");
  }
  /// Its exit status.
  static int shell(const std::string& command) {
    const int status = std::system(in_shell(command).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string training_command(const std::string& out) const {
    std::string command = "PROGRAM";
    for (const std::string& argument : training(out)) command += " '" + argument + "'";
    return command;
  }
};

TEST_F(Streams, AFullStandardOutputIsSaid) {
  EXPECT_EQ(shell("PROGRAM methods --json > /dev/full 2> " + path("errors")), 2);
  EXPECT_THAT(bytes_of(folder_ / "errors"), HasSubstr("No space left on device"));
  EXPECT_EQ(shell("PROGRAM --help > /dev/full 2> " + path("errors")), 2);
  EXPECT_EQ(bytes_of(folder_ / "errors"),
            "counterfoil: cannot write to the standard output: No space left on device\n");
}

// Were their numbers free, the run's own files would take them, and the progress would be written into them.
TEST_F(Streams, ClosedOnesHarmNoFile) {
  ASSERT_EQ(go(training("usual")).status, 0);
  EXPECT_EQ(shell(training_command("closed") + " <&- >&- 2>&-"), 0);
  expect_same_results(folder_ / "usual", folder_ / "closed");
}

TEST_F(Streams, TrainingOutlivesTheReaderOfItsProgress) {
  EXPECT_EQ(shell("(" + training_command("run") + "; echo $? > " + path("status") + ") 2>&1 | true"), 0);
  EXPECT_EQ(bytes_of(folder_ / "status"), "0\n");
  EXPECT_TRUE(fs::exists(folder_ / "run/model.safetensors"));
}

TEST_F(Streams, ATerminalHasABarInPlace) {
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", ("exec " + in_shell(training_command("run"))).c_str(), nullptr);
    ::_exit(127);
  }
  std::string shown;
  std::array<char, 4096> part{};
  for (ssize_t count = 0; (count = ::read(terminal, part.data(), part.size())) > 0;) {
    shown.append(part.data(), static_cast<std::size_t>(count));
  }
  ::close(terminal);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << shown;
  EXPECT_THAT(shown, HasSubstr("\r\x1B[K[####################] step 40/40  loss "));
}

TEST_F(Streams, WhereNothingCanBeWrittenNothingIsComputed) {
  const std::string nowhere = path("no/such/folder/file");
  expect_refused({"explain", "--run", path("run"), "--input", "x.png", "--output", nowhere + ".png"},
                 "cannot write " + nowhere + ".png");
  expect_refused({"evaluate", "--run", path("run"), "--json", nowhere}, "cannot write " + nowhere);
  expect_refused({"evaluate", "--run", path("run"), "--markdown", "/dev/full"}, "not a regular file");
  expect_refused({"report", "--run", path("run"), "--output", nowhere}, "cannot write " + nowhere);
  expect_refused({"panel", "--run", path("run"), "--output", nowhere}, "cannot write " + nowhere);
}

}  // namespace
}  // namespace counterfoil::app
