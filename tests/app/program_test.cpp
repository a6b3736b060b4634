#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include <nlohmann/json.hpp>

#include "app/run_directory.h"
#include "data/image_file.h"
#include "tensor/safetensors.h"
#include "tests/app/program_fixture.h"

namespace counterfoil::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

using EndToEnd = ProgramTest;

TEST_F(ProgramTest, TraceHoldsWhatRanWhen) {
  Arguments arguments = training("run", {"--trace", path("trace.json")});
  ASSERT_EQ(go(arguments).status, 0);
  const auto trace = nlohmann::json::parse(bytes_of(folder_ / "trace.json"));
  std::int64_t updates = 0, steps = 0;
  for (const auto& event : trace.at("traceEvents")) {
    updates += event.at("name") == "adam" ? 1 : 0;
    steps += event.at("name") == "classifier" ? 1 : 0;
  }
  EXPECT_EQ(updates, 40);
  EXPECT_EQ(steps, 40) << "the phase";
  expect_refused({"selftest", "--device", "cpu", "--only", "axpby", "--trace", path("nowhere/trace.json")},
                 "nowhere/trace.json");
}

TEST_F(ProgramTest, SaysWhatItIs) {
  EXPECT_EQ(go({"--version"}).status, 0);
  EXPECT_THAT(go({"--version"}).output, testing::StartsWith("counterfoil 0."));
  const Outcome help = go({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, HasSubstr("counterfoil train classifier --data mnist10k:3,8 --out runs/classifier"));
  EXPECT_THAT(go({"train", "classifier", "--help"}).output, HasSubstr("--learning-rate"));
  EXPECT_THAT(go({"metrics"}).output, HasSubstr("fd_mu"));
}

TEST_F(ProgramTest, MethodsAreANamePerLineAndTheirKeysOnRequest) {
  const std::string names = go({"methods"}).output;
  for (const char* name : {"explaingan", "progressive-exaggeration", "syce", "bbmp", "cyclegan"}) {
    EXPECT_THAT("\n" + names, HasSubstr("\n" + std::string(name) + "\n"));
  }
  for (const char* no_method : {"classifier", "embedding", " "}) EXPECT_THAT(names, Not(HasSubstr(no_method)));
  std::string listed;
  for (const nlohmann::json& method : nlohmann::json::parse(go({"methods", "--json"}).output)) {
    listed += method.at("name").get<std::string>() + "\n";
    EXPECT_NE(method.at("paper"), "");
    EXPECT_NE(method.at("description"), "");
  }
  EXPECT_EQ(listed, names);
  const std::string keys = go({"methods", "syce"}).output;
  EXPECT_THAT(keys, HasSubstr("generator_learning_rate"));
  EXPECT_THAT(keys, HasSubstr("default 0.0001"));
  EXPECT_THAT(go({"methods", "classifier"}).output, HasSubstr("plateau_patience"));
  expect_refused({"methods", "sice"}, "the nearest is 'syce'");
  const nlohmann::json syce = nlohmann::json::parse(go({"methods", "syce", "--json"}).output);
  EXPECT_EQ(syce.at("name"), "syce");
  std::map<std::string, nlohmann::json> defaults;
  for (const nlohmann::json& key : syce.at("keys")) {
    defaults[key.at("name")] = key.at("default");
    EXPECT_NE(key.at("expects"), "");
    EXPECT_NE(key.at("help"), "");
  }
  EXPECT_EQ(defaults.at("generator_learning_rate"), 1e-4);
  EXPECT_EQ(defaults.at("batch"), 64);
  EXPECT_EQ(defaults.at("output"), "clip");
  EXPECT_EQ(defaults.at("augment_flip_vertical"), false);
  EXPECT_EQ(defaults.at("steps"), 6000);
}

TEST_F(ProgramTest, WrongArgumentsAreOneLineAndStatus2) {
  expect_refused({}, "expected a command");
  expect_refused({"trian"}, "the nearest is 'train'");
  expect_refused({"train"}, "expected a command after 'train': one of classifier");
  expect_refused({"train", "clasifier"}, "the nearest is 'classifier'");
  expect_refused(training("x", {"--bacth", "3"}), "unknown flag '--bacth'; the nearest is --batch");
  expect_refused(training("x", {"--batch", "none"}), "--batch: expected a whole number from 1 to 65536, found 'none'");
  expect_refused(training("x", {"--learning_rate=2"}), "--learning-rate: expected a number from 0 to 1, found 2");
  expect_refused(training("x", {"--device", "gpu"}), "--device: expected one of");
  expect_refused(training("x", {"surplus"}), "unexpected argument 'surplus'");
  expect_refused({"train", "classifier"}, "--out: expected the folder");
  expect_refused({"explain", "--run", path("none")}, "--input is required");
  expect_refused({"selftest", "--only", "no such case"}, "no case has 'no such case'");
}

TEST_F(ProgramTest, RoutesAreForTheCudaKernels) {
  const Outcome vendor = go({"selftest", "--device", "simt", "--route", "vendor", "--only", "matmul/nn"});
  EXPECT_EQ(vendor.status, 0) << vendor.errors;
  EXPECT_THAT(vendor.output, HasSubstr("products by cuDNN"));
  expect_refused({"selftest", "--device", "simt", "--route", "fast"}, "route 'fast': expected auto, own, vendor");
  const std::string none = path("none");
  for (Arguments command :
       {Arguments{"explain", "--run", none, "--input", none, "--output", none}, Arguments{"evaluate", "--run", none},
        Arguments{"report", "--run", none, "--output", none}, Arguments{"panel", "--run", none, "--output", none}}) {
    command.insert(command.end(), {"--device", "simt", "--route", "fast"});
    expect_refused(command, "route 'fast': expected");
  }
  expect_refused({"selftest", "--device", "cpu", "--route", "own"}, "device 'cpu' has one way to compute");
  expect_refused(training("x", {"--device", "reference", "--route", "vendor"}), "device 'reference' has one way");
}

// With a driver and a GPU both compute there; without, one says why and the other takes the cpu.
TEST_F(ProgramTest, WithoutADriverAutoIsTheCpu) {
  const Outcome best = go({"selftest", "--only", "matmul/nn"});
  EXPECT_EQ(best.status, 0) << best.errors;
  if (best.output.starts_with("cuda (")) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_THAT(best.output, testing::StartsWith("cpu ("));
  expect_refused({"selftest", "--device", "cuda", "--only", "matmul/nn"}, "device 'cuda': ");
}

// The machines that the emulation can be: each says why there is nothing to compute on.
TEST_F(ProgramTest, ADeviceThatCannotBeHadSaysWhy) {
  const std::pair<const char*, const char*> machines[] = {
      {"driver=0", "device 'simt': no NVIDIA driver is loaded"},
      {"driver=12040", "device 'simt': the driver is for CUDA 12.4; expected one for 13.0 or later"},
      {"devices=0", "device 'simt': the driver finds no GPU (CUDA_VISIBLE_DEVICES may hide it)"},
      {"capability=75", "has compute capability 7.5; expected 8.0 or later"}};
  for (const auto& [machine, reason] : machines) {
    ::setenv("COUNTERFOIL_SIMT", machine, 1);
    expect_refused({"selftest", "--device", "simt", "--only", "matmul/nn"}, reason);
    expect_refused(training("x", {"--device", "simt"}), reason);
  }
  ::unsetenv("COUNTERFOIL_SIMT");
}

TEST_F(ProgramTest, DamagedFilesAreOneLineAndStatus2) {
  const std::string images = bytes_of(folder_ / "data/train-images-idx3-ubyte");
  write("data/train-images-idx3-ubyte", images.substr(0, images.size() / 2));
  expect_refused(training("x"), "data/train-images-idx3-ubyte: truncated");
  write("data/train-images-idx3-ubyte", "\x89PNG\r\n\x1a\n");
  expect_refused(training("x"), "not an IDX file");
  write("data/train-images-idx3-ubyte", images);

  write("bad.toml", "batch = 8\nbatch = [");
  expect_refused(training("x", {"--config", path("bad.toml")}), "bad.toml:2: not TOML");
  write("bad.toml", "batches = 8");
  expect_refused(training("x", {"--config", path("bad.toml")}), "bad.toml:1: unknown key 'batches'");
  write("bad.toml", std::string("\xFF\xFE\0\x01", 4));
  expect_refused(training("x", {"--config", path("bad.toml")}), "bad.toml:1: not TOML");
  expect_refused(training("x", {"--config", path("missing.toml")}), "missing.toml: no such file");

  fs::create_directories(folder_ / "run");
  write("run/model.safetensors", "not a model");
  expect_refused({"explain", "--run", path("run"), "--input", "x.png", "--output", path("y")},
                 "run/model.safetensors: ");
  expect_refused(
      {"train", "embedding", "--classifier", path("none"), "--out", path("x"), "--data", "idx:" + path("data")},
      "none: no such run directory");
}

TEST_F(ProgramTest, UnwritableFoldersAreOneLineAndStatus2) {
  write("file", "");
  expect_refused(training("file/run"), "cannot make the folder");
  expect_refused(training("file"), "cannot make the folder");
  Arguments arguments = training("x");
  arguments[5] = "/proc/counterfoil";
  expect_refused(arguments, "cannot make the folder /proc/counterfoil");
}

TEST_F(EndToEnd, ARunLeavesWhatItPromises) {
  const Outcome outcome = go(training("run", {"--seed", "5"}));
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  for (const char* file : {"model.safetensors", "config.toml", "metrics.csv", "splits.json", "log.txt"}) {
    EXPECT_TRUE(fs::exists(folder_ / "run" / file)) << file;
  }
  EXPECT_THAT(bytes_of(folder_ / "run/config.toml"), HasSubstr("seed = 5\n"));
  EXPECT_THAT(outcome.errors,
              testing::ContainsRegex("\nstep 40/40  loss [0-9.e-]+  accuracy [0-9.]+  [0-9]+ images/s  0 s left\n"));
  EXPECT_THAT(outcome.errors, Not(HasSubstr("\r"))) << "no bar where there is no terminal";
  EXPECT_EQ(std::ranges::count(bytes_of(folder_ / "run/metrics.csv"), '\n'), 41);
}

TEST_F(EndToEnd, SameBitsTwiceWithAnyNumberOfThreads) {
  ASSERT_EQ(go(training("one", {"--threads", "1"})).status, 0);
  ASSERT_EQ(go(training("again", {"--threads", "1"})).status, 0);
  ASSERT_EQ(go(training("two", {"--threads", "2"})).status, 0);
  expect_same_results(folder_ / "one", folder_ / "again");
  expect_same_results(folder_ / "one", folder_ / "two");
  ASSERT_EQ(go(training("other", {"--seed", "1"})).status, 0);
  EXPECT_FALSE(bytes_of(folder_ / "one/model.safetensors") == bytes_of(folder_ / "other/model.safetensors"));
}

// Waits until the run has got to some line of metrics or ended.
void wait_for_progress(Program& program, const std::function<bool()>& reached) {
  while (program.running() && !reached()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

TEST_F(EndToEnd, KilledAtAnyMomentAndResumed) {
  ASSERT_EQ(go(training("straight")).status, 0);
  const fs::path killed = folder_ / "killed";
  int kills = 0;
  for (int attempt = 0; attempt < 200; ++attempt) {
    Program program(training("killed", {"--resume"}), folder_);
    const fs::path checkpoint = killed / "checkpoint.safetensors";
    const auto written = [&] {
      return fs::exists(checkpoint) ? fs::last_write_time(checkpoint) : fs::file_time_type();
    };
    const auto before = written();
    // Each time further into what follows a checkpoint: from within its writing to somewhere in the steps after it.
    wait_for_progress(program, [&] { return written() != before; });
    std::this_thread::sleep_for(std::chrono::microseconds(attempt * 3700 % 40000));
    program.send(SIGKILL);
    const Outcome outcome = program.wait();
    if (outcome.status == 0) break;
    ASSERT_EQ(outcome.status, 128 + SIGKILL) << outcome.errors;
    ++kills;
  }
  ASSERT_EQ(go(training("killed", {"--resume"})).status, 0);
  EXPECT_GE(kills, 2);
  expect_same_results(folder_ / "straight", killed);
  for (const auto& entry : fs::directory_iterator(killed)) EXPECT_NE(entry.path().extension(), ".partial");
}

TEST_F(EndToEnd, StopsOnSigtermAndGoesOn) {
  ASSERT_EQ(go(training("straight")).status, 0);
  Program program(training("stopped"), folder_);
  wait_for_progress(program, [&] { return fs::exists(folder_ / "stopped/checkpoint.safetensors"); });
  program.send(SIGTERM);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.status, 128 + SIGTERM) << outcome.errors;
  EXPECT_THAT(outcome.errors, HasSubstr("--resume"));
  EXPECT_FALSE(fs::exists(folder_ / "stopped/model.safetensors"));
  ASSERT_EQ(go(training("stopped", {"--resume"})).status, 0);
  expect_same_results(folder_ / "straight", folder_ / "stopped");
}

TEST_F(EndToEnd, ResumeRefusesWhatWouldChangeTheRun) {
  ASSERT_EQ(go(training("run")).status, 0);
  expect_refused(training("run"), "holds a run already");
  expect_refused(training("run", {"--resume", "--seed", "1"}), "seed cannot be changed on --resume");
  expect_refused(training("run", {"--resume", "--steps", "10"}), "checkpoint.safetensors is of step 40");
  ASSERT_EQ(go(training("run", {"--resume", "--steps", "45", "--threads", "1"})).status, 0);

  const std::string checkpoint = bytes_of(folder_ / "run/checkpoint.safetensors");
  write("run/checkpoint.safetensors", checkpoint.substr(0, checkpoint.size() - 1));
  expect_refused(training("run", {"--resume", "--steps", "50"}), "checkpoint.safetensors: truncated");
  write("run/checkpoint.safetensors", checkpoint);
  write_idx_folder(folder_ / "data", 62, 12);
  expect_refused(training("run", {"--resume", "--steps", "50"}), "the data are not those that the run began with");
  write("run/config.toml", "kind = \"classifier\"\nsteps = \"many\"\n");
  expect_refused(training("run", {"--resume"}), "run/config.toml:2: steps: expected a whole number");
}

TEST_F(EndToEnd, AResumedRunKeepsItsRoute) {
  const auto on_simt = [&](const std::string& out, Arguments more) {
    more.insert(more.end(), {"--batch", "4"});
    return training(out, more);
  };
  ASSERT_EQ(go(on_simt("straight", {"--device", "simt", "--route", "vendor", "--steps", "4"})).status, 0);
  ASSERT_EQ(go(on_simt("own", {"--device", "simt", "--steps", "4"})).status, 0);
  EXPECT_FALSE(bytes_of(folder_ / "own/model.safetensors") == bytes_of(folder_ / "straight/model.safetensors"));

  write("vendor.toml", "device = \"simt\"\nroute = \"vendor\"\n");
  ASSERT_EQ(go(on_simt("resumed", {"--config", path("vendor.toml"), "--steps", "2"})).status, 0);
  EXPECT_THAT(bytes_of(folder_ / "resumed/config.toml"), HasSubstr("route = \"vendor\"\n"));
  const Outcome resumed = go(on_simt("resumed", {"--resume", "--steps", "4"}));
  ASSERT_EQ(resumed.status, 0) << resumed.errors;
  EXPECT_THAT(resumed.errors, HasSubstr("products by cuDNN"));
  expect_same_results(folder_ / "straight", folder_ / "resumed");

  expect_refused(on_simt("resumed", {"--resume", "--steps", "5", "--device", "cpu"}),
                 "route 'vendor': device 'cpu' has one way to compute");
  EXPECT_EQ(go(on_simt("resumed", {"--resume", "--steps", "5", "--device", "cpu", "--route", "auto"})).status, 0);
}

TEST_F(EndToEnd, AFullDiskIsOneLineAndNothingPartial) {
  const Outcome outcome = go(training("run"), 100000);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.error_lines().back(),
              HasSubstr("counterfoil: cannot write " + path("run/checkpoint.safetensors")));
  EXPECT_FALSE(fs::exists(folder_ / "run/checkpoint.safetensors"));
  EXPECT_FALSE(fs::exists(folder_ / "run/model.safetensors"));
  for (const auto& entry : fs::directory_iterator(folder_ / "run")) EXPECT_NE(entry.path().extension(), ".partial");
  ASSERT_EQ(go(training("straight")).status, 0);
  ASSERT_EQ(go(training("run", {"--resume"})).status, 0);
  expect_same_results(folder_ / "straight", folder_ / "run");
}

TEST_F(EndToEnd, AnExplainerIsTrainedResumedAndUsed) {
  ASSERT_EQ(go(training("classifier")).status, 0);
  const auto syce = [&](const std::string& out, const Arguments& more) {
    Arguments arguments = {"train",
                           "syce",
                           "--data",
                           "idx:" + path("data"),
                           "--classifier",
                           path("classifier"),
                           "--out",
                           path(out),
                           "--batch",
                           "4",
                           "--generator-levels",
                           "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return go(arguments);
  };
  const Outcome straight = syce("straight", {"--steps", "4", "--threads", "1"});
  ASSERT_EQ(straight.status, 0) << straight.errors;
  ASSERT_EQ(syce("resumed", {"--steps", "2", "--threads", "2"}).status, 0);
  ASSERT_EQ(syce("resumed", {"--steps", "4", "--threads", "2", "--resume"}).status, 0);
  expect_same_results(folder_ / "straight", folder_ / "resumed");

  fs::remove_all(folder_ / "data");  // a finished run needs no data to explain
  const data::Image picture{12, 12, 1, std::vector<std::uint8_t>(144, 90)};
  data::write_png(folder_ / "a.png", picture);
  const Outcome explained = go({"explain", "--run", path("straight"), "--input", path("a.png"), path("a.png"),
                                "--output", path("foils.safetensors")});
  ASSERT_EQ(explained.status, 0) << explained.errors;
  const TensorFile foils = read_safetensors(folder_ / "foils.safetensors", reference_device());
  EXPECT_EQ(foils.at("input").shape(), (Shape{2, 12, 12, 1}));
  EXPECT_EQ(foils.at("counterfactual").shape(), (Shape{2, 12, 12, 1}));
  EXPECT_EQ(foils.at("probabilities.counterfactual").shape(), (Shape{2, 2}));
  for (const double value : foils.at("counterfactual").to_doubles()) EXPECT_TRUE(value >= 0 && value <= 1) << value;

  const auto explain = [&](const std::string& input) {
    return Arguments{"explain",   "--run",    path("straight"),        "--input",
                     path(input), "--output", path("none.safetensors")};
  };
  const std::string png = bytes_of(folder_ / "a.png");
  write("cut.png", png.substr(0, png.size() - 20));
  expect_refused(explain("cut.png"), "cut.png: truncated PNG file");
  write("damaged.png", png.substr(0, 50) + "?" + png.substr(51));
  expect_refused(explain("damaged.png"), "damaged.png: damaged PNG file");
  write("foreign.png", "GIF89a");
  expect_refused(explain("foreign.png"), "foreign.png: neither a PNG nor a JPEG file");
  data::write_png(folder_ / "large.png", {13, 12, 1, std::vector<std::uint8_t>(156)});
  expect_refused(explain("large.png"), "large.png: ");
  write("cut.safetensors", bytes_of(folder_ / "foils.safetensors").substr(0, 1000));
  expect_refused(explain("cut.safetensors"), "cut.safetensors: truncated");
  expect_refused(explain("missing.png"), "missing.png: no such file");
  data::write_png(folder_ / "colour.png", {12, 12, 3, std::vector<std::uint8_t>(432)});
  expect_refused(explain("colour.png"), "colour.png: images of 12 x 12 x 3, the run was trained on 12 x 12 x 1");
  const auto expect_tensor_refused = [&](const std::vector<float>& values, const Shape& shape, const char* text) {
    TensorFile file;
    file.tensors["images"] = Tensor::from(values, shape, reference_device());
    write_safetensors(folder_ / "bad.safetensors", file);
    expect_refused(explain("bad.safetensors"), text);
  };
  std::vector<float> pixels(144, 0.5F);
  expect_tensor_refused(pixels, {12, 12, 1}, "'images' has shape [12, 12, 1], expected [N,H,W,C]");
  expect_tensor_refused({}, {0, 12, 12, 1}, "--input: no images");
  pixels[7] = std::nanf("");
  expect_tensor_refused(pixels, {1, 12, 12, 1}, "'images' holds nan, expected 0 to 1");
  pixels[7] = 255;
  expect_tensor_refused(pixels, {1, 12, 12, 1}, "'images' holds 255, expected 0 to 1");
  const std::string model = bytes_of(folder_ / "straight/model.safetensors");
  write("straight/model.safetensors", model.substr(0, model.size() / 2));
  expect_refused(explain("a.png"), "straight/model.safetensors: truncated");
}

TEST_F(EndToEnd, DivergenceIsStatus3) {
  ASSERT_EQ(go(training("classifier")).status, 0);
  const Outcome outcome =
      go({"train", "embedding", "--data", "idx:" + path("data"), "--classifier", path("classifier"), "--out",
          path("run"), "--steps", "400", "--batch", "4", "--learning-rate", "1", "--weight-divergence", "0"});
  EXPECT_EQ(outcome.status, 3) << outcome.errors;
  EXPECT_THAT(outcome.error_lines().back(), HasSubstr("diverged at step"));
  EXPECT_FALSE(fs::exists(folder_ / "run/model.safetensors"));
}

}  // namespace
}  // namespace counterfoil::app
