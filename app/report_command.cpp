#include <algorithm>
#include <charconv>
#include <sstream>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/explaining.h"
#include "app/figures.h"
#include "app/outputs.h"
#include "app/report.h"
#include "data/idx.h"
#include "kernels/error.h"
#include "tensor/atomic_file.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

std::string read_text(const std::filesystem::path& file) {
  constexpr std::uint64_t kLargest = std::uint64_t{1} << 30U;
  const std::vector<std::uint8_t> bytes = data::read_bytes(file, kLargest);
  return {bytes.begin(), bytes.end()};
}

std::vector<Report::Curve> read_curves(const std::filesystem::path& metrics) {
  std::istringstream lines(read_text(metrics));
  std::vector<Report::Curve> curves;
  std::string line, cell;
  std::getline(lines, line);
  std::istringstream header(line);
  std::getline(header, cell, ',');
  while (std::getline(header, cell, ',')) curves.push_back({cell, {}});
  for (std::int64_t number = 2; std::getline(lines, line); ++number) {
    std::istringstream cells(line);
    double step = 0;
    for (std::size_t column = 0; std::getline(cells, cell, ','); ++column) {
      double value = 0;
      const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
      if (error != std::errc() || end != cell.data() + cell.size() || column > curves.size()) {
        fail("{}, line {}: expected a number per column, found '{}'", metrics.string(), number, cell);
      }
      if (column == 0) {
        step = value;
      } else {
        curves[column - 1].points.emplace_back(step, value);
      }
    }
  }
  return curves;
}

// What `evaluate --json` wrote about a run: the file itself, or of several runs the entry that bears its name.
const nlohmann::json& entry_of(const nlohmann::json& written, const std::filesystem::path& file,
                               const std::filesystem::path& run) {
  if (!written.is_object()) fail("{}: not what `counterfoil evaluate --json` writes: no object", file.string());
  if (!written.contains("runs")) {
    if (!written.contains("acc_adversarial")) {
      fail("{}: not what `counterfoil evaluate --json` writes: it has no acc_adversarial", file.string());
    }
    return written;
  }
  std::vector<std::string> names;
  std::error_code ignored;
  for (const nlohmann::json& one : written.at("runs")) {
    names.push_back(one.at("run").get<std::string>());
    if (std::filesystem::equivalent(names.back(), run, ignored)) return one;
  }
  fail("{}: it has no figures of {}, but of {}", file.string(), in_quotes(run.string()), fmt::join(names, ", "));
}

std::vector<Report::Figure> read_figures(const std::filesystem::path& file, const std::filesystem::path& run) {
  std::vector<Report::Figure> figures;
  try {
    const nlohmann::json written = nlohmann::json::parse(read_text(file));
    const nlohmann::json& json = entry_of(written, file, run);
    for (const FigureMeaning& figure : kFigures) {
      if (figure.name == nullptr || !json.contains(figure.key) || json[figure.key].is_null()) continue;
      figures.push_back({figure.name, fmt::format("{:.4g}", json[figure.key].get<double>()), figure.meaning});
    }
  } catch (const nlohmann::json::exception& error) {
    fail("{}: not what `counterfoil evaluate --json` writes: {}", file.string(), error.what());
  }
  return figures;
}

/// The chance of a class, as a caption: of two classes f(x) is that of the second; of several the decision's is said.
std::string caption(const float* probabilities, const std::vector<std::string>& classes) {
  if (classes.size() == 2) return fmt::format("f = {:.3f}", probabilities[1]);
  const auto decision = std::max_element(probabilities, probabilities + classes.size()) - probabilities;
  return fmt::format("{}: {:.3f}", classes[static_cast<std::size_t>(decision)], probabilities[decision]);
}

class Gallery {
 public:
  Gallery(const std::map<std::string, Tensor>& explanation, std::vector<std::string> classes)
      : shape_(explanation.at("input").shape()), classes_(std::move(classes)) {
    for (const auto& [name, tensor] : explanation) {
      if (tensor.dtype() == DType::f32) values_[name] = tensor.to_vector<float>();
    }
  }
  bool has(const std::string& name) const { return values_.contains(name); }

  Report::Picture image(const std::string& name, std::size_t row) const {
    const std::vector<float>& probabilities = values_.at("probabilities." + name);
    return {grey_or_colour_image(cut(name, row, shape_[3]), shape_[1], shape_[2], shape_[3]),
            caption(probabilities.data() + row * classes_.size(), classes_)};
  }
  Report::Picture map(std::size_t row) const {
    return {heat_image(cut("map", row, 1), shape_[1], shape_[2]), "explanation"};
  }
  Report::Picture signed_difference(std::size_t row) const {
    return {grey_or_colour_image(cut("picture", row, 3), shape_[1], shape_[2], 3), "red: add, blue: remove"};
  }

 private:
  std::vector<float> cut(const std::string& name, std::size_t row, std::int64_t channels) const {
    const auto size = static_cast<std::ptrdiff_t>(shape_[1] * shape_[2] * channels);
    const auto begin = values_.at(name).begin() + static_cast<std::ptrdiff_t>(row) * size;
    return {begin, begin + size};
  }

  Shape shape_;
  std::vector<std::string> classes_;
  std::map<std::string, std::vector<float>> values_;
};

std::string question(const ExplainerRun& explained) {
  const std::vector<std::string> names = decision_names(explained);
  if (names.size() > 2) return "why this class and not that one?";
  const bool against_all = names[0] == kAnyOther;
  return fmt::format("why {} and not {}?", names[against_all ? 1 : 0], names[against_all ? 0 : 1]);
}

}  // namespace

int report_command(const ReportArguments& arguments) {
  check_outputs({arguments.output}, {arguments.evaluation});
  Report report;
  if (!arguments.evaluation.empty()) report.figures = read_figures(arguments.evaluation, arguments.run);
  Device& device = open_device(arguments.where);
  ExplainerRun explained = load_explainer(arguments.run, device);
  const data::Dataset test = test_images(explained.run, arguments.run);
  const Tensor images = test.all_images(device);
  const std::vector<std::int32_t> queries =
      choose_queries(explained.classifier.decisions(images).to_vector<std::int32_t>(),
                     explained.classifier.class_count(), arguments.images_per_class);
  if (queries.empty()) fail("{}: no test images", arguments.run.string());
  const std::vector<std::string> names = decision_names(explained);
  const bool two = names.size() == 2;
  const std::map<std::string, Tensor> explanation = explain_images(
      explained, gather_rows(images, Tensor::from(queries, {static_cast<std::int64_t>(queries.size())}, device)));
  const Gallery gallery(explanation, names);
  std::vector<std::int32_t> targets;
  if (const auto found = explanation.find("target"); found != explanation.end())
    targets = found->second.to_vector<std::int32_t>();

  report.title = fmt::format("{}: {}", explained.run.settings->kind().name, question(explained));
  report.introduction = fmt::format(
      "For each test image the classifier f is asked what would have to change for {}. The counterfactual is that "
      "image; the explanation map shows where it differs. {}",
      two || targets.empty() ? "the other decision" : "the decision that it finds most likely after its own",
      two ? fmt::format("f(x) is the probability of {}.", names[1])
          : "Below an image: f's decision, and its probability.");
  report.columns = {"query"};
  if (gallery.has("stable")) report.columns.emplace_back("stable image");
  report.columns.emplace_back("counterfactual");
  if (gallery.has("map")) report.columns.emplace_back("explanation map");
  if (gallery.has("picture")) report.columns.emplace_back("what to change");
  for (std::size_t row = 0; row < queries.size(); ++row) {
    const auto query = static_cast<std::size_t>(queries[row]);
    Report::Row shown{
        fmt::format("test {} ({})", query, test.class_names[static_cast<std::size_t>(test.labels[query])]), {}};
    if (!two && !targets.empty()) shown.title += " towards " + names[static_cast<std::size_t>(targets[row])];
    shown.pictures.push_back(gallery.image("input", row));
    if (gallery.has("stable")) shown.pictures.push_back(gallery.image("stable", row));
    shown.pictures.push_back(gallery.image("counterfactual", row));
    if (gallery.has("map")) shown.pictures.push_back(gallery.map(row));
    if (gallery.has("picture")) shown.pictures.push_back(gallery.signed_difference(row));
    report.rows.push_back(std::move(shown));
  }
  report.curves = read_curves(RunDirectory(arguments.run).metrics());
  report.provenance = fmt::format("counterfoil {}, {} on {}\n\n{}", version(), arguments.run.string(),
                                  device.description(), explained.run.settings->to_toml(true));
  write_text_atomically(arguments.output, render_html(report));
  fmt::print("{}\n", arguments.output.string());
  return 0;
}

}  // namespace counterfoil::app
