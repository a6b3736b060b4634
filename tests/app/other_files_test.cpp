#include <bit>
#include <regex>

#include <fmt/format.h>

#include "data/image_file.h"
#include "tensor/safetensors.h"
#include "tests/app/program_fixture.h"

// Files that a run rests on and that others may change: its classifier's, its own, those that it shall explain.

namespace counterfoil::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class EndToEndFiles : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    data::write_png(folder_ / "a.png", {12, 12, 1, std::vector<std::uint8_t>(144, 90)});
    ASSERT_EQ(go(training("classifier", {"--steps", "4"})).status, 0);
    ASSERT_EQ(go(sagen({"--steps", "2"})).status, 0);
  }

  Arguments sagen(const Arguments& more) const {
    Arguments arguments = {"train",
                           "sagen",
                           "--data",
                           "idx:" + path("data"),
                           "--classifier",
                           path("classifier"),
                           "--out",
                           path("run"),
                           "--batch",
                           "4",
                           "--generator-levels",
                           "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Arguments explain(const std::string& input) const {
    return {"explain", "--run", path("run"), "--input", path(input), "--output", path("foils.safetensors")};
  }
  void retrain_classifier(const std::string& seed) const {
    fs::remove_all(folder_ / "classifier");
    ASSERT_EQ(go(training("classifier", {"--steps", "4", "--seed", seed})).status, 0);
  }
  /// Writes a file of the run anew with other metadata.
  template <typename Change>
  void change_metadata(const std::string& file, Change&& change) const {
    TensorFile contents = read_safetensors(folder_ / "run" / file, reference_device());
    change(contents.metadata);
    write_safetensors(folder_ / "run" / file, contents);
  }
};

TEST_F(EndToEndFiles, AnotherClassifierInItsFolderIsSeen) {
  retrain_classifier("1");
  const std::string text = "the classifier '" + path("classifier") + "' is another one by now (its weights were crc32";
  const std::string model = "run/model.safetensors: " + text;
  expect_refused(explain("a.png"), model);
  expect_refused({"evaluate", "--run", path("run")}, model);
  expect_refused({"report", "--run", path("run"), "--output", path("x.html")}, model);
  expect_refused(sagen({"--steps", "4", "--resume"}), "run/checkpoint.safetensors: " + text);

  retrain_classifier("0");  // the same weights again
  EXPECT_EQ(go(explain("a.png")).status, 0);
  EXPECT_EQ(go(sagen({"--steps", "4", "--resume"})).status, 0);

  // Runs from before there were digests say nothing.
  retrain_classifier("1");
  for (const char* file : {"model.safetensors", "checkpoint.safetensors"}) {
    change_metadata(file, [](std::map<std::string, std::string>& metadata) {
      EXPECT_EQ(std::erase_if(metadata, [](const auto& entry) { return entry.first.starts_with("weights of "); }), 1u);
    });
  }
  EXPECT_EQ(go(explain("a.png")).status, 0);
  EXPECT_EQ(go(sagen({"--steps", "6", "--resume"})).status, 0);
}

// A small file whose settings ask for networks of gigabytes.
TEST_F(EndToEndFiles, NetworksAreBoundedByTheFileTheyComeFrom) {
  change_metadata("model.safetensors", [](std::map<std::string, std::string>& metadata) {
    std::string& config = metadata.at("config");
    const std::string wide = std::regex_replace(config, std::regex("generator_width = \\d+"), "generator_width = 1024");
    ASSERT_NE(wide, config);
    config = wide;
  });
  expect_refused(explain("a.png"), "bytes of tensors asked for");
}

TEST_F(EndToEndFiles, InputsAreJudgedByTheirHeaders) {
  const auto claim = [&](const std::string& shape, std::uint64_t bytes) {
    const std::string header =
        fmt::format(R"({{"images":{{"dtype":"U8","shape":{},"data_offsets":[0,{}]}}}})", shape, bytes);
    const auto size = std::bit_cast<std::array<char, 8>>(std::uint64_t{header.size()});
    write("huge.safetensors", std::string(size.begin(), size.end()) + header);
    fs::resize_file(folder_ / "huge.safetensors", 8 + header.size() + bytes);  // sparse
  };
  claim("[268435456,12,12,1]", std::uint64_t{144} << 28U);
  expect_refused(explain("huge.safetensors"), "tensors of 38654705664 bytes, expected at most 1073741824");
  claim("[1,65536,65536,1]", std::uint64_t{1} << 32U);
  expect_refused(explain("huge.safetensors"), "images of 65536 x 65536 x 1, the run was trained on 12 x 12 x 1");
}

}  // namespace
}  // namespace counterfoil::app
