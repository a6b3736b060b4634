#include <fmt/format.h>

#include "app/commands.h"
#include "app/explaining.h"
#include "app/outputs.h"
#include "app/picture_grid.h"
#include "app/report.h"
#include "kernels/error.h"
#include "tensor/ops.h"

namespace counterfoil::app {

int panel_command(const PanelArguments& arguments) {
  check_outputs({arguments.output});
  Device& device = open_device(arguments.where);
  std::vector<ExplainerRun> explainers;
  for (const std::filesystem::path& folder : arguments.runs) explainers.push_back(load_explainer(folder, device));
  const Tensor images = common_test_images(explainers, arguments.runs).all_images(device);
  nn::Classifier& classifier = explainers.front().classifier;
  const std::vector<std::int32_t> chosen = choose_queries(classifier.decisions(images).to_vector<std::int32_t>(),
                                                          classifier.class_count(), arguments.images_per_class);
  if (chosen.empty()) fail("{}: no test images", arguments.runs.front().string());
  const Tensor queries =
      gather_rows(images, Tensor::from(chosen, {static_cast<std::int64_t>(chosen.size())}, device));  // [n,H,W,C]

  const std::int64_t height = queries.shape()[1], width = queries.shape()[2], channels = queries.shape()[3];
  const auto picture = [&](const Tensor& all, std::size_t row) {
    const auto at = static_cast<std::int64_t>(row);
    return grey_or_colour_image(slice(all, 0, at, at + 1).to_vector<float>(), height, width, channels);
  };
  std::vector<GridRow> rows{{"query", {}}};
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    rows.front().pictures.push_back(picture(queries, i));
    rows.front().pictures.emplace_back();
  }
  for (ExplainerRun& explained : explainers) {
    GridRow& row = rows.emplace_back(GridRow{explained.run.settings->kind().name, {}});
    const std::map<std::string, Tensor> explanation = explain_images(explained, queries);
    const auto map = explanation.find("map");
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      row.pictures.push_back(picture(explanation.at("counterfactual"), i));
      row.pictures.push_back(map == explanation.end()
                                 ? data::Image{}
                                 : heat_image(slice(map->second, 0, at, at + 1).to_vector<float>(), height, width));
    }
  }
  data::write_png(arguments.output, render_grid(rows, 2));
  fmt::print("{}\n", arguments.output.string());
  return 0;
}

}  // namespace counterfoil::app
