#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "app/attribution_evaluation.h"
#include "app/attribution_registry.h"
#include "app/report.h"
#include "data/image_file.h"
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tests/app/program.h"

// Attributions through the program, on tiny images of three classes.

namespace counterfoil::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Attributions : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    fs::create_directories(folder());
    write_idx_folder(folder() / "data", 90, 12, 3);
    require({"train", "classifier", "--data", data(), "--out", path("classifier"), "--steps", "60", "--batch", "16",
             "--learning-rate", "0.002"});
    require({"train", "ganmex", "--data", data(), "--classifier", path("classifier"), "--out", path("ganmex"),
             "--steps", "2", "--batch", "8", "--width", "2", "--blocks", "1"});
    TensorFile queries;
    queries.tensors["images"] = Random(1, "queries").uniform({3, 12, 12, 1}, 0, 1, reference_device());
    write_safetensors(path("queries.safetensors"), queries);
    queries.tensors["images"] = slice(queries.tensors["images"], 0, 0, 1);
    write_safetensors(path("first.safetensors"), queries);
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }

  static fs::path folder() {
    return fs::temp_directory_path() / ("counterfoil_attributions_" + std::to_string(::getpid()));
  }
  static std::string path(const std::string& name) { return (folder() / name).string(); }
  static std::string data() { return "idx:" + path("data"); }
  static Outcome go(const Arguments& arguments) { return run(arguments, folder()); }
  static void require(const Arguments& arguments) {
    const Outcome outcome = go(arguments);
    ASSERT_EQ(outcome.status, 0) << outcome.errors;
  }
  static Arguments attribute(const std::string& method, const std::string& output, const Arguments& more = {}) {
    Arguments arguments = {"attribute", method, "--classifier", path("classifier"), "--output", path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static TensorFile attributed(const std::string& method, const std::string& output, const Arguments& more = {}) {
    require(attribute(method, output, more));
    return read_safetensors(path(output), reference_device());
  }
  // One line, status 2, and no file of that name.
  static void refused(const Arguments& arguments, const std::string& text) {
    const Outcome outcome = go(arguments);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.error_lines().size(), 1U) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr(text));
    EXPECT_FALSE(fs::exists(path("no.safetensors")));
  }
};

// Counts of copies, draws and samples, small.
Arguments few_of(const AttributionKind& kind) {
  constexpr std::int64_t kFew = 8;
  const std::unique_ptr<methods::AttributionMethod> method = kind.make();
  nn::Keys keys;
  method->declare(keys);
  Arguments flags;
  for (const nn::Keys::Key& key : keys.list()) {
    const auto* whole = std::get_if<std::int64_t>(&key.default_value);
    if (whole == nullptr || *whole <= 2 * kFew || key.low > static_cast<double>(kFew)) continue;
    flags.push_back("--" + key.name);
    flags.push_back(std::to_string(kFew));
  }
  return flags;
}

TEST_F(Attributions, EveryMethodGivesTheSameBitsTwiceWithAnyThreadsAndAlone) {
  for (const AttributionKind& kind : attribution_kinds()) {
    SCOPED_TRACE(kind.name);
    Arguments flags = few_of(kind);
    flags.insert(flags.end(), {"--against", "runner-up", "--threads", "1", "--input"});
    const auto with = [&](const std::string& threads, const std::string& input) {
      flags[flags.size() - 2] = threads;
      Arguments all = flags;
      all.push_back(path(input));
      return all;
    };
    const TensorFile file = attributed(kind.name, "one.safetensors", with("1", "queries.safetensors"));
    ASSERT_TRUE(file.tensors.contains("attribution"));
    EXPECT_EQ(file.at("attribution").shape(), (Shape{3, 12, 12, 1}));
    const std::vector<double> values = file.at("attribution").to_doubles();
    EXPECT_TRUE(std::ranges::any_of(values, [](double value) { return value != 0; }));
    EXPECT_EQ(file.metadata.at("method"), kind.name);
    (void)attributed(kind.name, "two.safetensors", with("2", "queries.safetensors"));
    EXPECT_TRUE(bytes_of(path("one.safetensors")) == bytes_of(path("two.safetensors")));
    const std::vector<double> alone =
        attributed(kind.name, "alone.safetensors", with("2", "first.safetensors")).at("attribution").to_doubles();
    for (std::size_t i = 0; i < alone.size(); ++i) ASSERT_EQ(alone[i], values[i]) << i;
  }
}

TEST_F(Attributions, TheFileSaysWhatWasAsked) {
  const TensorFile file =
      attributed("integrated-gradients", "asked.safetensors",
                 {"--images", "5", "--class", "2", "--against", "0", "--scale", "probabilities", "--steps", "20"});
  EXPECT_EQ(file.at("classes").to_vector<std::int32_t>(), std::vector<std::int32_t>(5, 2));
  EXPECT_EQ(file.at("against").to_vector<std::int32_t>(), std::vector<std::int32_t>(5, 0));
  const std::vector<double> p = file.at("probabilities").to_doubles(), scores = file.at("scores").to_doubles();
  const std::vector<double> gap = file.at("gap").to_doubles(), values = file.at("attribution").to_doubles();
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(scores[i], p[3 * i + 2] - p[3 * i], 1e-6);
    EXPECT_LT(std::abs(gap[i]), 0.05);
    const double sum = std::accumulate(values.begin() + static_cast<std::ptrdiff_t>(144 * i),
                                       values.begin() + static_cast<std::ptrdiff_t>(144 * (i + 1)), 0.0);
    if (i > 0) continue;  // S of the black image is the same for all: any two images tell it
    const double sum_1 = std::accumulate(values.begin() + 144, values.begin() + 288, 0.0);
    EXPECT_NEAR((sum - gap[0]) - (sum_1 - gap[1]), scores[0] - scores[1], 1e-4);
  }
  for (const double value : file.at("baseline").to_doubles()) EXPECT_EQ(value, 0);
  EXPECT_THAT(file.metadata.at("settings"), HasSubstr("steps = 20"));
  EXPECT_EQ(file.metadata.at("class_names"), "0\n1\n2");
  const Outcome said = go(attribute("integrated-gradients", "asked.safetensors", {"--images", "2"}));
  EXPECT_THAT(said.output, testing::ContainsRegex("2 images attributed, .* s an image, peak memory"));
  EXPECT_THAT(said.output, HasSubstr("completeness gap: mean"));
}

TEST_F(Attributions, WithoutAClassTheDecidedOneIsHeldAgainstTheLikeliestOther) {
  const TensorFile file = attributed("saliency", "runner.safetensors", {"--images", "9", "--against", "runner-up"});
  const std::vector<double> p = file.at("probabilities").to_doubles();
  const auto classes = file.at("classes").to_vector<std::int32_t>(),
             against = file.at("against").to_vector<std::int32_t>();
  for (std::size_t i = 0; i < 9; ++i) {
    const auto other = static_cast<std::size_t>(3 - classes[i] - against[i]);  // the third
    EXPECT_GE(p[3 * i + static_cast<std::size_t>(classes[i])], p[3 * i + static_cast<std::size_t>(against[i])]);
    EXPECT_GE(p[3 * i + static_cast<std::size_t>(against[i])], p[3 * i + other]);
  }
  // Test images that are decided so cannot be held against it.
  for (const std::int32_t decided : attributed("saliency", "named.safetensors", {"--images", "9", "--against", "1"})
                                        .at("classes")
                                        .to_vector<std::int32_t>())
    EXPECT_NE(decided, 1);
}

TEST_F(Attributions, BaselinesComeFromNamesAndFromExplainers) {
  const auto baseline = [](const Arguments& more) {
    Arguments flags = {"--images", "4", "--class", "0", "--against", "2", "--steps", "4"};
    flags.insert(flags.end(), more.begin(), more.end());
    return attributed("integrated-gradients", "based.safetensors", flags);
  };
  for (const double value : baseline({"--baseline", "max"}).at("baseline").to_doubles()) EXPECT_EQ(value, 1);
  const TensorFile ganmex = baseline({"--baseline", path("ganmex")});
  TensorFile inputs;
  inputs.tensors["images"] = ganmex.at("input");
  write_safetensors(path("inputs.safetensors"), inputs);
  require({"explain", "--run", path("ganmex"), "--input", path("inputs.safetensors"), "--target", "2", "--output",
           path("towards.safetensors")});
  const std::vector<double> found = ganmex.at("baseline").to_doubles();
  EXPECT_EQ(found, read_safetensors(path("towards.safetensors"), reference_device()).at("counterfactual").to_doubles());
  EXPECT_EQ(ganmex.metadata.at("baseline"), path("ganmex"));

  // An explainer that leads to no class of one's choice gives what it has, asked or not.
  require({"train", "bbmp", "--data", data(), "--classifier", path("classifier"), "--against-all", "2", "--out",
           path("bbmp"), "--iterations", "1"});
  const TensorFile any = attributed("deeplift", "any.safetensors", {"--images", "4", "--baseline", path("bbmp")});
  inputs.tensors["images"] = any.at("input");
  write_safetensors(path("inputs.safetensors"), inputs);
  require({"explain", "--run", path("bbmp"), "--input", path("inputs.safetensors"), "--output",
           path("any_foils.safetensors")});
  EXPECT_EQ(any.at("baseline").to_doubles(),
            read_safetensors(path("any_foils.safetensors"), reference_device()).at("counterfactual").to_doubles());

  // One of a class against all others leads to it, or away from it.
  require({"train", "ganmex", "--data", data(), "--classifier", path("classifier"), "--out", path("ganmex_2"),
           "--against-all", "2", "--steps", "2", "--batch", "8", "--width", "2", "--blocks", "1"});
  for (const bool away : {false, true}) {
    const TensorFile based = attributed("deeplift", "based.safetensors",
                                        {"--images", "4", "--baseline", path("ganmex_2"), "--class", away ? "2" : "0",
                                         away ? "--seed" : "--against", "2"});
    inputs.tensors["images"] = based.at("input");
    write_safetensors(path("inputs.safetensors"), inputs);
    require({"explain", "--run", path("ganmex_2"), "--input", path("inputs.safetensors"), "--target",
             away ? "any other" : "2", "--output", path("foils_2.safetensors")});
    EXPECT_EQ(based.at("baseline").to_doubles(),
              read_safetensors(path("foils_2.safetensors"), reference_device()).at("counterfactual").to_doubles());
  }
  for (const Arguments& question :
       {Arguments{"--class", "1"}, Arguments{"--against", "1"}, Arguments{"--class", "2", "--against", "0"}}) {
    Arguments flags = {"--baseline", path("ganmex_2")};
    flags.insert(flags.end(), question.begin(), question.end());
    refused(attribute("deeplift", "no.safetensors", flags), "ask with --against 2, or with --class 2 alone");
  }

  // The nearest training image that is decided 2; and 3 of those.
  const std::vector<double> nearest = baseline({"--baseline", "mdts"}).at("baseline").to_doubles();
  const TensorFile sets = attributed(
      "expected-gradients", "sets.safetensors",
      {"--images", "4", "--class", "0", "--against", "2", "--baseline", "class-samples", "--baselines", "3"});
  ASSERT_EQ(sets.at("baselines").shape(), (Shape{4, 3, 12, 12, 1}));
  const std::vector<double> x = sets.at("input").to_doubles(), drawn = sets.at("baselines").to_doubles();
  const auto distance = [&](std::size_t image, const std::vector<double>& all, std::size_t from) {
    double sum = 0;
    for (std::size_t i = 0; i < 144; ++i) sum += std::pow(x[144 * image + i] - all[144 * from + i], 2);
    return sum;
  };
  for (std::size_t i = 0; i < 12; ++i) EXPECT_GE(distance(i / 3, drawn, i) + 1e-9, distance(i / 3, nearest, i / 3));
  TensorFile shown;
  shown.tensors["images"] = sets.at("baselines").reshape({12, 12, 12, 1});
  write_safetensors(path("shown.safetensors"), shown);
  EXPECT_EQ(attributed("saliency", "of_samples.safetensors", {"--input", path("shown.safetensors")})
                .at("classes")
                .to_vector<std::int32_t>(),
            std::vector<std::int32_t>(12, 2));
  const std::vector<double> same =
      attributed("deepshap", "same.safetensors", {"--images", "2", "--baselines", "2"}).at("baselines").to_doubles();
  EXPECT_TRUE(std::equal(same.begin(), same.begin() + 288, same.begin() + 288));

  const std::string name = "no.safetensors", method = "integrated-gradients";
  refused(attribute(method, name, {"--baseline", path("ganmex")}), "name one with --against");
  refused(attribute(method, name, {"--baseline", "zeroes"}), "the nearest is 'zero'");
  refused(attribute("deepshap", name, {"--baseline", "zero", "--baselines", "3"}), "zero gives one for each image");
  refused(attribute(method, name, {"--baselines", "3"}), "the method takes one for each image");
  refused(attribute(method, name, {"--baseline", path("classifier")}), "explains nothing");
  refused(attribute("saliency", name, {"--baseline", "zero"}), "the method takes no baseline");
  require({"train", "classifier", "--data", data(), "--out", path("other"), "--steps", "1", "--batch", "8"});
  refused({"attribute", method, "--classifier", path("other"), "--output", path(name), "--against", "1", "--baseline",
           path("ganmex")},
          "it explains another classifier");
}

TEST_F(Attributions, AFolderGetsPictures) {
  require(attribute("integrated-gradients", "pictures", {"--input", path("queries.safetensors"), "--steps", "2"}));
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(path("pictures"))) names.insert(entry.path().filename().string());
  EXPECT_EQ(names,
            (std::set<std::string>{"queries.0.attribution.png", "queries.0.baseline.png", "queries.1.attribution.png",
                                   "queries.1.baseline.png", "queries.2.attribution.png", "queries.2.baseline.png"}));
  EXPECT_EQ(data::read_image(path("pictures/queries.0.attribution.png")).channels, 3);
}

TEST(SignedImage, BlueAddsRedTakesAndNothingIsGrey) {
  const auto colours = [](const std::vector<float>& map) { return signed_image(map, 1, std::ssize(map)).pixels; };
  EXPECT_EQ(colours({0, 0}), std::vector<std::uint8_t>(6, 225));
  const std::vector<std::uint8_t> drawn = colours({2, -2, 1, -1, 0});
  EXPECT_GT(drawn[2], drawn[0]);                                                  // blue
  EXPECT_GT(drawn[3], drawn[5]);                                                  // red
  EXPECT_TRUE(drawn[0] < drawn[6] && drawn[6] < 225 && drawn[6 + 2] > drawn[6]);  // paler
  EXPECT_EQ(drawn[12], 225);
  EXPECT_EQ(colours({200, -200, 100, -100, 0}), drawn);
}

TEST_F(Attributions, WrongInputIsRefusedInOneLine) {
  const std::string name = "no.safetensors";
  refused(attribute("salience", name), "unknown command 'salience'; the nearest is 'saliency'");
  refused(attribute("saliency", name, {"--against", "7"}), "no class '7'; there are 0, 1, 2");
  refused(attribute("saliency", name, {"--class", "1", "--against", "1"}), "that is the class explained");
  refused(attribute("saliency", name, {"--images", "1", "--input", path("queries.safetensors")}), "--images");
  refused(attribute("saliency", name, {"--sed", "1"}), "unknown flag '--sed'; the nearest is --seed");
  refused(attribute("integrated-gradients", name, {"--steps", "0"}), "steps: expected a whole number from 1");
  refused(attribute("saliency", "nowhere/no.safetensors"), "nowhere");
  refused(attribute("saliency", "no.png"), "expected a .safetensors file or a folder");
  data::write_png(path("small.png"), {8, 8, 1, std::vector<std::uint8_t>(64, 9)});
  refused(attribute("saliency", name, {"--input", path("small.png")}),
          "images of 8 x 8 x 1, the run was trained on 12");
  refused({"attribute", "saliency", "--classifier", path("ganmex"), "--output", path(name)},
          "expected a classifier's run, found one of ganmex");
  data::write_png(path("query.png"), {12, 12, 1, std::vector<std::uint8_t>(144, 9)});
  const TensorFile decided = attributed("saliency", "decided.safetensors", {"--input", path("query.png")});
  refused(attribute("saliency", name,
                    {"--input", path("query.png"), "--against",
                     std::to_string(decided.at("classes").to_vector<std::int32_t>().front())}),
          "'query' is decided so");
}

TEST_F(Attributions, NothingThatIsReadIsWrittenOver) {
  require(attribute("saliency", "whole.safetensors", {"--input", path("queries.safetensors")}));
  const std::string whole = path("whole.safetensors"), before = bytes_of(whole);
  const std::string read = path("queries.safetensors"), queries = bytes_of(read), said = "it is to be read";
  refused(attribute("saliency", "queries.safetensors", {"--input", read}), said);
  refused(attribute("saliency", "no.safetensors", {"--input", read, "--cascade", read}), said);
  refused({"explain", "--run", path("ganmex"), "--input", read, "--output", path("./queries.safetensors")}, said);
  refused({"attribution-panel", whole, "--output", whole}, said);
  const Arguments measure = {"evaluate-attributions", whole, "--classifier", path("classifier")};
  const auto measured = [&](const Arguments& more) {
    Arguments arguments = measure;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  refused(measured({"--json", whole}), said);
  refused(measured({"--annotations", read, "--markdown", read}), said);
  refused(measured({"--json", path("no.safetensors"), "--markdown", path("no.safetensors")}), "two things");
  refused(attribute("saliency", "no.safetensors", {"--cascade", path("no.safetensors")}), "two things");
  EXPECT_TRUE(bytes_of(whole) == before && bytes_of(read) == queries);
}

TEST_F(Attributions, AreMeasuredWhoeverMadeThem) {
  require(
      attribute("integrated-gradients", "ig.safetensors", {"--images", "6", "--against", "runner-up", "--steps", "8"}));
  const TensorFile made = read_safetensors(path("ig.safetensors"), reference_device());
  TensorFile bare, marks;
  bare.tensors = {{"input", made.at("input")}, {"attribution", made.at("input")}};
  bare.metadata = {{"method", "this | that"}};
  write_safetensors(path("bare.safetensors"), bare);
  marks.tensors["annotations"] = Tensor::full({6, 12, 12, 1}, 1, DType::u8, reference_device());
  write_safetensors(path("marks.safetensors"), marks);
  const auto evaluate = [](const std::string& json) {
    require({"evaluate-attributions", path("ig.safetensors"), path("bare.safetensors"), "--classifier",
             path("classifier"), "--annotations", path("marks.safetensors"), "--json", path(json), "--markdown",
             path("table.md")});
    return bytes_of(path(json));
  };
  const std::string text = evaluate("figures.json");
  EXPECT_EQ(evaluate("again.json"), text);
  const nlohmann::json files = nlohmann::json::parse(text)["files"];
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0]["label"], "integrated-gradients, zero");
  EXPECT_EQ(files[1]["label"], "this | that");
  EXPECT_THAT(bytes_of(path("table.md")), HasSubstr("\n| this \\| that | 6 |"));
  for (const AttributionFigure& figure : attribution_figures())
    EXPECT_TRUE(files[0][figure.key].is_number()) << figure.key;
  EXPECT_TRUE(files[1]["faithfulness"].is_number() && files[1]["baseline_distance"].is_null());
  EXPECT_EQ(std::ranges::count(bytes_of(path("table.md")), '\n'), 4);
  const std::string listed = go({"metrics"}).output;
  for (const AttributionFigure& figure : attribution_figures()) EXPECT_THAT(listed, HasSubstr(figure.key));

  require({"explain", "--run", path("ganmex"), "--input", path("queries.safetensors"), "--output",
           path("foils.safetensors")});
  require({"evaluate-attributions", path("foils.safetensors"), "--classifier", path("classifier"), "--json",
           path("foils.json")});
  const nlohmann::json foils = nlohmann::json::parse(bytes_of(path("foils.json")))["files"][0];
  EXPECT_EQ(foils["label"], "ganmex");
  EXPECT_TRUE(foils["baseline_distance"].is_number());

  const auto measured = [](const std::string& file) {
    return Arguments{"evaluate-attributions", path(file), "--classifier",
                     path("classifier"),      "--json",   path("no.safetensors")};
  };
  refused(measured("queries.safetensors"), "it has no tensor 'input'");
  bare.tensors["classes"] = Tensor::full({6}, 3, DType::i32, reference_device());
  write_safetensors(path("wrong.safetensors"), bare);
  refused(measured("wrong.safetensors"), "class 3, expected 0 to 2");
  Arguments both =
      measured("bare.safetensors");  // nothing is measured, of which progress would speak, before all are read
  both.insert(both.begin() + 2, path("wrong.safetensors"));
  refused(both, "wrong.safetensors: score: the classes explained");
  bare.tensors["attribution"] = Tensor::zeros({6, 12, 11, 1}, DType::f32, reference_device());
  write_safetensors(path("wrong.safetensors"), bare);
  refused(measured("wrong.safetensors"), "'attribution': expected f32");
}

TEST_F(Attributions, OfAFileOrSeveralMakeAPanel) {
  for (const std::string name : {"a", "b"})
    require(attribute("integrated-gradients", name + ".safetensors",
                      {"--input", path("queries.safetensors"), "--steps", name == "a" ? "2" : "3"}));
  require({"attribution-panel", path("a.safetensors"), path("b.safetensors"), "--images", "2", "--output",
           path("panel.png")});
  const data::Image picture = data::read_image(path("panel.png"));
  EXPECT_EQ(picture.height, 2 * 8 + 3 * (16 + 60 + 2));       // 12 pixels magnified by 5, three titled rows
  EXPECT_EQ(picture.width, 2 * 8 + 4 * 60 + 2 * 2 + 1 * 10);  // two pairs of pictures
  require(attribute("saliency", "others.safetensors", {"--images", "3"}));
  const Outcome mixed =
      go({"attribution-panel", path("a.safetensors"), path("others.safetensors"), "--output", path("no.safetensors")});
  EXPECT_EQ(mixed.status, 2);
  EXPECT_THAT(mixed.errors, HasSubstr("their images differ"));
}

TEST_F(Attributions, ChangeAsTheClassifierForgets) {
  require(attribute("saliency", "kept.safetensors", {"--images", "4", "--cascade", path("cascade.json")}));
  const nlohmann::json layers = nlohmann::json::parse(bytes_of(path("cascade.json")))["layers"];
  ASSERT_GE(layers.size(), 2U);
  EXPECT_LT(layers.back()["values"].get<double>(), 0.9);
  std::set<std::string> names;
  for (const nlohmann::json& layer : layers) {
    names.insert(layer["layer"].get<std::string>());
    for (const char* key : {"values", "magnitudes"}) EXPECT_LE(std::abs(layer[key].get<double>()), 1) << key;
  }
  EXPECT_EQ(names.size(), layers.size());
}

TEST_F(Attributions, AreListedAndDocumented) {
  const std::string page = bytes_of(fs::path(COUNTERFOIL_SOURCE_DIR) / "docs/attributions.md");
  std::string names;
  for (const AttributionKind& kind : attribution_kinds()) {
    names += kind.name + "\n";
    EXPECT_THAT(page, HasSubstr("| `" + kind.name + "` |"));
    const nlohmann::json json = nlohmann::json::parse(go({"attributions", kind.name, "--json"}).output);
    const std::unique_ptr<methods::AttributionMethod> method = kind.make();
    nn::Keys keys;
    method->declare(keys);
    ASSERT_EQ(json["keys"].size(), keys.list().size());
    for (const nn::Keys::Key& key : keys.list()) EXPECT_THAT(page, HasSubstr("`" + key.name + "`")) << kind.name;
  }
  EXPECT_EQ(go({"attributions"}).output, names);
  for (const AttributionFigure& figure : attribution_figures()) EXPECT_THAT(page, HasSubstr(figure.key));
  refused({"attributions", "deeplit"}, "the nearest is 'deeplift'");
}

}  // namespace
}  // namespace counterfoil::app
