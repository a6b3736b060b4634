#include <cmath>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "data/image_file.h"
#include "tensor/random.h"
#include "tensor/safetensors.h"
#include "tests/app/program.h"

// The whole way of a user, on tiny images: classifier, embedding, explainer, figures, page, explanations in files.

namespace counterfoil::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class Pipeline : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    fs::create_directories(folder());
    write_idx_folder(folder() / "data", 80, 12);
    require({"train", "classifier", "--data", data(), "--out", path("classifier"), "--steps", "60", "--batch", "16",
             "--learning-rate", "0.002"});
    require({"train", "embedding", "--data", data(), "--classifier", path("classifier"), "--out", path("embedding"),
             "--steps", "40", "--batch", "16", "--weight-divergence", "0.001"});
    require(syce(path("syce")));
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }

  static fs::path folder() {
    return fs::temp_directory_path() / ("counterfoil_pipeline_" + std::to_string(::getpid()));
  }
  static std::string path(const std::string& name) { return (folder() / name).string(); }
  static std::string data() { return "idx:" + path("data"); }
  static Arguments syce(const std::string& out, const Arguments& more = {}) {
    Arguments arguments = {"train",
                           "syce",
                           "--data",
                           data(),
                           "--classifier",
                           path("classifier"),
                           "--out",
                           out,
                           "--steps",
                           "25",
                           "--batch",
                           "8",
                           "--generator-width",
                           "4",
                           "--discriminator-width",
                           "4",
                           "--discriminator-levels",
                           "2",
                           "--checkpoint-every",
                           "6",
                           "--augment-shift",
                           "0.1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static Outcome go(const Arguments& arguments) { return run(arguments, folder()); }
  static void require(const Arguments& arguments) {
    const Outcome outcome = go(arguments);
    ASSERT_EQ(outcome.status, 0) << outcome.errors;
  }
};

TEST_F(Pipeline, EvaluateWritesItsFigures) {
  require({"evaluate", "--run", path("syce"), "--embedding", path("embedding"), "--json", path("one.json")});
  const nlohmann::json one = nlohmann::json::parse(bytes_of(path("one.json")));
  for (const char* key : {"acc_stable", "acc_adversarial", "flip_rate", "fd_mu", "js", "distance_l1", "distance_l2",
                          "seconds_per_image", "peak_memory_mib"}) {
    ASSERT_TRUE(one.contains(key) && one[key].is_number()) << key;
    EXPECT_GE(one[key].get<double>(), 0) << key;
  }
  EXPECT_LE(one["acc_stable"].get<double>(), 1);
  EXPECT_LE(one["js"].get<double>(), 1);
  EXPECT_NEAR(one["flip_rate"].get<double>(), 1 - one["acc_adversarial"].get<double>(), 1e-12);
  EXPECT_TRUE(one["mask_size"].is_null());  // SyCE draws none
  EXPECT_GT(one["peak_memory_mib"].get<double>(), 0);
  EXPECT_EQ(one["directions"].size(), 2u);
  EXPECT_EQ(one["directions"][0]["images"].get<int>() + one["directions"][1]["images"].get<int>(),
            one["images"].get<int>());
  EXPECT_TRUE(one["mask_nonzero"].is_null());
  EXPECT_EQ(one["embedding"], path("embedding"));
  EXPECT_EQ(one["identity"], path("embedding"));
  double closest = 0, fewest = 80;
  for (const auto& direction : one["directions"]) {
    closest += direction["lsc"].get<double>() * direction["images"].get<double>() / 80;
    fewest = std::min(fewest, direction["images"].get<double>());
    EXPECT_EQ(direction["images"].get<int>() + direction["real_images"].get<int>(), 80);
    EXPECT_TRUE(direction["rank_deficient"].get<bool>());  // of 100 dimensions
  }
  EXPECT_NEAR(one["lsc"].get<double>(), closest, 1e-12);
  EXPECT_EQ(one["lsc_candidates"].get<double>(), fewest);
  EXPECT_LE(one["fva"].get<double>(), 1);

  require({"evaluate", "--run", path("syce"), "--images", "20", "--json", path("few.json")});
  EXPECT_EQ(nlohmann::json::parse(bytes_of(path("few.json")))["images"], 20);

  require({"evaluate", "--run", path("syce"), path("syce"), "--json", path("two.json")});
  const nlohmann::json two = nlohmann::json::parse(bytes_of(path("two.json")));
  ASSERT_EQ(two["runs"].size(), 2u);
  EXPECT_EQ(two["runs"][0]["acc_stable"], one["acc_stable"]);
  for (const char* key : {"fd_mu", "lsc", "lsc_candidates", "fva", "embedding", "identity"})
    EXPECT_TRUE(two["runs"][0][key].is_null()) << key;  // no embedding, no figure

  require({"train", "classifier", "--data", data(), "--out", path("untrained"), "--steps", "1", "--batch", "8"});
  require({"train", "bbmp", "--data", data(), "--classifier", path("untrained"), "--out", path("of_another"),
           "--iterations", "1"});
  const Outcome mixed = go({"evaluate", "--run", path("syce"), path("of_another")});
  EXPECT_EQ(mixed.status, 2);
  EXPECT_THAT(mixed.errors, HasSubstr("expected explainers of one classifier; those of syce and of bbmp"));
}

// Masks that BBMP has hardly moved keep which image it was, which an untrained network's codes still say, and the codes
// that tell decisions apart do not.
TEST_F(Pipeline, IdentitiesAreComparedInAnEmbeddingOfTheirOwn) {
  require({"train", "bbmp", "--data", data(), "--classifier", path("classifier"), "--out", path("masks"),
           "--iterations", "3", "--mask-divisor", "2"});
  require({"train", "embedding", "--data", data(), "--classifier", path("classifier"), "--out", path("identity"),
           "--steps", "1", "--batch", "16", "--seed", "5"});
  const auto figures = [&](const Arguments& more) {
    Arguments arguments = {"evaluate",        "--run",  path("masks"),        "--embedding",
                           path("embedding"), "--json", path("identity.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    require(arguments);
    return nlohmann::json::parse(bytes_of(path("identity.json")));
  };
  const nlohmann::json one = figures({}), other = figures({"--identity", path("identity")});
  EXPECT_EQ(other["identity"], path("identity"));
  for (const char* key : {"embedding", "fd_mu", "js", "lsc_candidates"}) EXPECT_EQ(other[key], one[key]) << key;
  EXPECT_GT(other["lsc"].get<double>(), 2 * one["lsc"].get<double>());
  EXPECT_THAT(go({"evaluate", "--run", path("masks"), "--identity", path("identity")}).errors,
              HasSubstr("--identity: expected --embedding, too"));
}

// BBMP's mask, and the panel: a row of queries and one of each run, a counterfactual and a map for each query.
TEST_F(Pipeline, EveryMethodOnTheSameQueriesInOnePicture) {
  require({"train", "bbmp", "--data", data(), "--classifier", path("classifier"), "--out", path("bbmp"), "--iterations",
           "3", "--mask-divisor", "2"});
  require(
      {"evaluate", "--run", path("bbmp"), path("syce"), "--json", path("bbmp.json"), "--markdown", path("bbmp.md")});
  const nlohmann::json bbmp = nlohmann::json::parse(bytes_of(path("bbmp.json")))["runs"][0];
  const double mask = bbmp["mask_size"].get<double>(), nonzero = bbmp["mask_nonzero"].get<double>();
  EXPECT_GT(mask, 0);
  EXPECT_LT(mask, 1);
  EXPECT_GE(nonzero, mask);  // no element is above 1
  EXPECT_LE(nonzero, 1);
  const std::string table = bytes_of(path("bbmp.md"));
  EXPECT_EQ(std::ranges::count(table, '\n'), 4);
  EXPECT_THAT(table, testing::ContainsRegex("\n\\| bbmp \\| .*\\| 0 \\|.*\n\\| syce \\| .*\\| 25 \\|"));
  const auto panel = [&] {
    require({"panel", "--run", path("syce"), path("bbmp"), "--output", path("panel.png"), "--images-per-class", "2"});
    return bytes_of(path("panel.png"));
  };
  const std::string first = panel();
  EXPECT_EQ(panel(), first);
  const data::Image picture = data::read_image(path("panel.png"));
  EXPECT_EQ(picture.channels, 3);
  EXPECT_EQ(picture.height, 2 * 8 + 3 * (16 + 60 + 2));       // 12 pixels magnified by 5, three titled rows
  EXPECT_EQ(picture.width, 2 * 8 + 8 * 60 + 4 * 2 + 3 * 10);  // four pairs of pictures
}

TEST_F(Pipeline, TheReportIsOnePageWithItsPicturesInside) {
  require({"evaluate", "--run", path("syce"), "--json", path("figures.json")});
  require({"report", "--run", path("syce"), "--evaluation", path("figures.json"), "--output", path("report.html"),
           "--images-per-class", "2"});
  const std::string page = bytes_of(path("report.html"));
  std::size_t pictures = 0;
  for (std::size_t at = 0; (at = page.find("data:image/png;base64,", at)) != std::string::npos; ++at) ++pictures;
  EXPECT_EQ(pictures, 2u * 2 * 4);  // classes, queries, and query, stable image, counterfactual, map
  EXPECT_THAT(page, HasSubstr("acc_a"));
  EXPECT_THAT(page, HasSubstr("<path d=\"M"));  // a training curve
  EXPECT_THAT(page, HasSubstr("generator_width = 4"));
  for (const char* outside : {"http://", "https://", "<script", "<link"}) EXPECT_THAT(page, Not(HasSubstr(outside)));

  const std::string before = page;
  require({"report", "--run", path("syce"), "--evaluation", path("figures.json"), "--output", path("report.html"),
           "--images-per-class", "2"});
  EXPECT_EQ(bytes_of(path("report.html")), before);
}

TEST_F(Pipeline, OneAgainstAllAsksWhyThisAndNotAnyOther) {
  write_idx_folder(folder() / "three", 90, 12, 3);
  const std::string data = "idx:" + path("three");
  require({"train", "classifier", "--data", data, "--out", path("three_classifier"), "--steps", "60", "--batch", "16",
           "--learning-rate", "0.002"});
  require({"train", "sagen", "--data", data, "--classifier", path("three_classifier"), "--against-all", "2", "--out",
           path("one_against_all"), "--steps", "3", "--batch", "8", "--generator-width", "4"});
  require({"report", "--run", path("one_against_all"), "--output", path("against.html"), "--images-per-class", "1"});
  const std::string page = bytes_of(path("against.html"));
  EXPECT_THAT(page, HasSubstr("<h1>sagen: why 2 and not any other?</h1>"));
  EXPECT_THAT(page, HasSubstr("f(x) is the probability of 2."));
  const Outcome retrained = go({"substitutability", "--run", path("one_against_all")});
  EXPECT_EQ(retrained.status, 2);
  EXPECT_EQ(retrained.error_lines().size(), 1u);
  EXPECT_THAT(retrained.errors, HasSubstr("it explains '2' against all others"));
}

TEST_F(Pipeline, EachAgainstEachLeadsToTheClassThatIsAskedFor) {
  write_idx_folder(folder() / "each", 90, 12, 3);
  const std::string data = "idx:" + path("each");
  require({"train", "classifier", "--data", data, "--out", path("each_classifier"), "--steps", "60", "--batch", "16",
           "--learning-rate", "0.002"});
  require({"train", "cyce", "--data", data, "--classifier", path("each_classifier"), "--out", path("each_cyce"),
           "--steps", "3", "--batch", "8", "--generator-width", "4", "--discriminator-width", "4"});
  require({"evaluate", "--run", path("each_cyce"), "--json", path("each.json")});
  EXPECT_TRUE(nlohmann::json::parse(bytes_of(path("each.json")))["acc_target"].is_number());
  data::write_png(path("any.png"), {12, 12, 1, std::vector<std::uint8_t>(144, 90)});
  require({"explain", "--run", path("each_cyce"), "--input", path("any.png"), "--target", "2", "--output",
           path("any.safetensors")});
  const TensorFile foils = read_safetensors(path("any.safetensors"), reference_device());
  EXPECT_EQ(foils.at("target").to_vector<std::int32_t>(), std::vector<std::int32_t>{2});
  EXPECT_EQ(foils.at("probabilities.counterfactual").shape(), (Shape{1, 3}));
}

TEST_F(Pipeline, SeveralClassesAreExplainedOneAgainstOne) {
  write_idx_folder(folder() / "three", 90, 12, 3);
  const std::string data = "idx:" + path("three");
  require({"train", "classifier", "--data", data, "--out", path("three_ways"), "--steps", "60", "--batch", "16",
           "--learning-rate", "0.002"});
  require({"train", "embedding", "--data", data, "--classifier", path("three_ways"), "--out", path("three_codes"),
           "--steps", "30", "--batch", "16", "--weight-divergence", "0.001"});
  require({"train", "ganmex", "--data", data, "--classifier", path("three_ways"), "--out", path("ganmex"), "--steps",
           "3", "--batch", "8", "--width", "2", "--blocks", "1"});
  require({"evaluate", "--run", path("ganmex"), "--embedding", path("three_codes"), "--json", path("ganmex.json")});
  const nlohmann::json figures = nlohmann::json::parse(bytes_of(path("ganmex.json")));
  EXPECT_TRUE(figures["acc_target"].is_number());
  ASSERT_GE(figures["directions"].size(), 1u);
  std::int64_t images = 0;
  for (const auto& direction : figures["directions"]) {
    EXPECT_FALSE(direction.contains("from"));
    images += direction["images"].get<std::int64_t>();
  }
  EXPECT_LE(images, 90);
  require({"report", "--run", path("ganmex"), "--output", path("ganmex.html"), "--images-per-class", "1"});
  EXPECT_THAT(bytes_of(path("ganmex.html")), HasSubstr(" towards "));

  TensorFile file;
  file.tensors["images"] = Random(1, "queries").uniform({4, 12, 12, 1}, 0, 1, reference_device());
  write_safetensors(path("queries.safetensors"), file);
  const Arguments explain = {"explain", "--run", path("ganmex"), "--input", path("queries.safetensors"), "--output"};
  const auto explained = [&](const std::string& name, const Arguments& more) {
    Arguments arguments = explain;
    arguments.push_back(path(name));
    arguments.insert(arguments.end(), more.begin(), more.end());
    require(arguments);
    return read_safetensors(path(name), reference_device());
  };
  const TensorFile towards = explained("towards.safetensors", {"--target", "2"});
  EXPECT_EQ(towards.at("target").to_doubles(), (std::vector<double>{2, 2, 2, 2}));
  const TensorFile second = explained("second.safetensors", {});
  const std::vector<double> targets = second.at("target").to_doubles();
  const std::vector<double> p = second.at("probabilities.input").to_doubles();
  for (std::size_t i = 0; i < 4; ++i) {  // the runner-up: exactly one class is likelier
    int likelier = 0;
    for (std::size_t k = 0; k < 3; ++k)
      likelier += p[i * 3 + k] > p[i * 3 + static_cast<std::size_t>(targets[i])] ? 1 : 0;
    EXPECT_EQ(likelier, 1) << i;
  }
  Arguments unknown = explain;
  unknown.insert(unknown.end(), {path("none"), "--target", "seven"});
  EXPECT_THAT(go(unknown).errors, HasSubstr("no class 'seven' to explain towards; there are 0, 1, 2"));
}

TEST_F(Pipeline, WhatFailsAtTheFirstStepLeavesNothingBehind) {
  const Outcome optimised = go({"train", "bbmp", "--data", data(), "--classifier", path("classifier"), "--out",
                                path("no_steps"), "--steps", "2"});
  EXPECT_EQ(optimised.status, 2);
  EXPECT_THAT(optimised.error_lines().back(), HasSubstr("expected 0 steps"));
  EXPECT_FALSE(fs::exists(path("no_steps")));
  EXPECT_EQ(go(syce(path("much"), {"--batch", "70"})).status, 2);  // more than a class has images
  EXPECT_FALSE(fs::exists(path("much")));
  fs::create_directories(path("mine"));
  EXPECT_EQ(go(syce(path("mine"), {"--batch", "70"})).status, 2);
  EXPECT_TRUE(fs::exists(path("mine")));
}

TEST_F(Pipeline, AGeneratorThatDiesIsStatus3AndTheLastGoodCheckpointStays) {
  const Outcome outcome = go({"train",
                              "mgen",
                              "--data",
                              data(),
                              "--classifier",
                              path("classifier"),
                              "--out",
                              path("dead"),
                              "--steps",
                              "2000",
                              "--batch",
                              "4",
                              "--generator-width",
                              "4",
                              "--generator-levels",
                              "1",
                              "--generator-learning-rate",
                              "0.5",
                              "--checkpoint-every",
                              "1"});
  EXPECT_EQ(outcome.status, 3) << outcome.errors;
  EXPECT_THAT(outcome.error_lines().back(), HasSubstr("has been the same for most inputs since step"));
  EXPECT_TRUE(fs::exists(path("dead/checkpoint.safetensors")));
  EXPECT_FALSE(fs::exists(path("dead/model.safetensors")));
}

TEST_F(Pipeline, PeakMemoryIsSaid) {
  data::write_png(path("grey.png"), {12, 12, 1, std::vector<std::uint8_t>(144, 90)});
  const Outcome explained =
      go({"explain", "--run", path("syce"), "--input", path("grey.png"), "--output", path("grey.safetensors")});
  EXPECT_THAT(explained.output, testing::ContainsRegex("1 images explained, peak memory [0-9.]+ MiB of tensors on"));
  EXPECT_THAT(bytes_of(path("syce/log.txt")), testing::ContainsRegex("peak memory [0-9.]+ MiB of tensors on"));
}

TEST_F(Pipeline, ExplainReadsPicturesAndTensorsAlike) {
  data::Image image{12, 12, 1, std::vector<std::uint8_t>(144, 0)};
  for (std::size_t i = 0; i < 144; i += 3) image.pixels[i] = 200;
  data::write_png(path("query.png"), image);
  TensorFile file;
  file.tensors["images"] = Tensor::from(image.pixels, {1, 12, 12, 1}, reference_device());
  write_safetensors(path("query.safetensors"), file);

  require({"explain", "--run", path("syce"), "--input", path("query.png"), "--output", path("a.safetensors")});
  require({"explain", "--run", path("syce"), "--input", path("query.safetensors"), "--output", path("b.safetensors")});
  const TensorFile a = read_safetensors(path("a.safetensors"), reference_device());
  const TensorFile b = read_safetensors(path("b.safetensors"), reference_device());
  for (const char* name : {"input", "stable", "counterfactual", "map", "probabilities.counterfactual"}) {
    EXPECT_EQ(a.at(name).to_doubles(), b.at(name).to_doubles()) << name;
  }
  for (const double value : a.at("counterfactual").to_doubles()) EXPECT_TRUE(value >= 0 && value <= 1);
  EXPECT_NEAR(a.at("input").to_doubles()[0], 200.0 / 255, 1e-6);
}

TEST_F(Pipeline, ExplainWritesPictures) {
  TensorFile file;
  file.tensors["images"] = Random(1, "queries").uniform({2, 12, 12, 1}, 0, 1, reference_device());
  write_safetensors(path("pair.safetensors"), file);
  const auto explain = [](const Arguments& inputs, const std::string& output) {
    Arguments arguments = {"explain", "--run", path("syce"), "--output", path(output), "--input"};
    for (const std::string& input : inputs) arguments.push_back(path(input));
    return arguments;
  };
  require(explain({"pair.safetensors"}, "pair_foils.safetensors"));
  require(explain({"pair.safetensors"}, "drawn"));
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(path("drawn"))) names.insert(entry.path().filename().string());
  EXPECT_EQ(names, (std::set<std::string>{"pair.0.counterfactual.png", "pair.0.map.png", "pair.0.stable.png",
                                          "pair.1.counterfactual.png", "pair.1.map.png", "pair.1.stable.png"}));
  const std::vector<double> foils =
      read_safetensors(path("pair_foils.safetensors"), reference_device()).at("counterfactual").to_doubles();
  const data::Image second = data::read_image(path("drawn/pair.1.counterfactual.png"));
  ASSERT_EQ(second.pixels.size(), 144U);
  for (std::size_t i = 0; i < 144; ++i) EXPECT_EQ(second.pixels[i], std::lround(255 * foils[144 + i])) << i;
  EXPECT_EQ(data::read_image(path("drawn/pair.0.map.png")).channels, 3);

  data::write_png(path("one.png"), second);  // what was written can be asked again
  require(explain({"one.png"}, "foil.png"));
  EXPECT_EQ(data::read_image(path("foil.png")).pixels.size(), 144U);
  const auto refused = [](const Arguments& arguments, const std::string& text) {
    const Outcome outcome = go(arguments);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.errors, HasSubstr(text));
  };
  refused(explain({"pair.safetensors"}, "two.png"), "one picture, but 2 images; a folder takes more");
  refused(explain({"one.png"}, "foils.safetensor"), "expected a .safetensors file, a .png file or a folder");
  refused(explain({"one.png", "one.png"}, "twice"), "two images called 'one'");
  EXPECT_FALSE(fs::exists(path("two.png")) || fs::exists(path("foils.safetensor")) || fs::exists(path("twice")));
}

TEST_F(Pipeline, AnExplainerKilledAnywhereGoesOnBitForBit) {
  {
    Program killed(syce(path("resumed"), {"--threads", "1"}), folder());
    while (killed.running() && bytes_of(folder() / "resumed" / "checkpoint.safetensors").empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    killed.send(SIGKILL);
    killed.wait();
  }
  require(syce(path("resumed"), {"--resume", "--threads", "2"}));
  for (const char* file : {"model.safetensors", "metrics.csv", "checkpoint.safetensors"}) {
    ASSERT_FALSE(bytes_of(folder() / "syce" / file).empty()) << file;
    EXPECT_TRUE(bytes_of(folder() / "syce" / file) == bytes_of(folder() / "resumed" / file)) << file;
  }
}

TEST_F(Pipeline, WrongRunsAreRefusedInOneLine) {
  const auto refused = [](const Arguments& arguments, const std::string& text) {
    const Outcome outcome = go(arguments);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.error_lines().size(), 1u) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr(text));
  };
  refused({"evaluate", "--run", path("classifier")}, "explains nothing");
  write_idx_folder(folder() / "small", 20, 10);
  for (const std::string method : {"cdeepex", "bbmp"}) {
    refused({"train", method, "--data", "idx:" + path("small"), "--classifier", path("classifier"), "--out", path("x")},
            "classifier: LeNet: expected images [N, 12, 12, 1], found [1, 10, 10, 1]");
    EXPECT_FALSE(fs::exists(path("x")));
  }
  write_idx_folder(folder() / "more", 30, 12, 3);  // the classifier's classes would be named by other names
  refused({"train", "xgem", "--data", "idx:" + path("more"), "--classifier", path("classifier"), "--out", path("x")},
          "classifier: its classes are 0, 1, those of the data 0, 1, 2");
  EXPECT_FALSE(fs::exists(path("x")));
  refused({"evaluate", "--run", path("syce"), "--embedding", path("classifier")}, "expected an embedding's run");
  refused({"report", "--run", path("nowhere"), "--output", path("x.html")}, "no such run directory");
  std::ofstream(path("bad.json")) << "{\"acc_stable\": ";
  refused({"report", "--run", path("syce"), "--evaluation", path("bad.json"), "--output", path("x.html")}, "bad.json");
  refused({"report", "--run", path("syce"), "--output", path("no/such/folder/x.html")}, "no/such/folder");
  EXPECT_FALSE(fs::exists(path("x.html")));

  // Of several runs' figures a report takes its own run's.
  const auto evaluated = [&](const std::string& json) {
    std::ofstream(path("some.json")) << json;
    return Arguments{"report",
                     "--run",
                     path("syce"),
                     "--evaluation",
                     path("some.json"),
                     "--output",
                     path("some.html"),
                     "--images-per-class",
                     "1"};
  };
  refused(evaluated("[1]"), "some.json: not what `counterfoil evaluate --json` writes: no object");
  refused(evaluated("{}"), "it has no acc_adversarial");
  refused(evaluated(R"({"runs": [{"run": "runs/other", "acc_adversarial": 0.5}]})"), "but of runs/other");
  EXPECT_FALSE(fs::exists(path("some.html")));
  require(evaluated(R"({"runs": [{"run": "other", "acc_adversarial": 0.5}, {"run": ")" + path("syce") +
                    R"(/", "acc_adversarial": 0.1234}]})"));
  EXPECT_THAT(bytes_of(path("some.html")), HasSubstr("0.1234"));
}

}  // namespace
}  // namespace counterfoil::app
