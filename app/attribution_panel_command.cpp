#include <fmt/format.h>

#include "app/attribution_file.h"
#include "app/commands.h"
#include "app/outputs.h"
#include "app/picture_grid.h"
#include "app/report.h"
#include "kernels/error.h"
#include "tensor/ops.h"

namespace counterfoil::app {

int attribution_panel_command(const AttributionPanelArguments& arguments) {
  check_outputs({arguments.output}, arguments.files);
  std::vector<GridRow> rows{{"query", {}}};
  Tensor queries;
  for (const std::filesystem::path& name : arguments.files) {
    const AttributionFile file = read_attributions(name, cpu_device());
    const Shape& shape = file.input.shape();  // [N,H,W,C]
    if (shape[3] != 1 && shape[3] != 3) fail("{}: images of {} channels, expected 1 or 3", name.string(), shape[3]);
    if (!queries.defined()) queries = file.input;
    if (queries.shape() != shape || queries.to_vector<float>() != file.input.to_vector<float>())
      fail("{} and {}: their images differ", arguments.files.front().string(), name.string());
    const Tensor summed = reduce(ReduceOp::sum, file.attribution, {3});  // [N,H,W,1]
    const auto of = [](const Tensor& all, std::int64_t at) { return slice(all, 0, at, at + 1).to_vector<float>(); };
    const bool first = rows.size() == 1;
    GridRow row{file.label, {}};
    for (std::int64_t i = 0; i < std::min(arguments.images, shape[0]); ++i) {
      if (first) {
        rows.front().pictures.push_back(grey_or_colour_image(of(queries, i), shape[1], shape[2], shape[3]));
        rows.front().pictures.emplace_back();
      }
      row.pictures.push_back(file.baselines.defined()
                                 ? grey_or_colour_image(of(file.baseline(), i), shape[1], shape[2], shape[3])
                                 : data::Image{});
      row.pictures.push_back(signed_image(of(summed, i), shape[1], shape[2]));
    }
    rows.push_back(std::move(row));
  }
  data::write_png(arguments.output, render_grid(rows, 2));
  fmt::print("{}\n", arguments.output.string());
  return 0;
}

}  // namespace counterfoil::app
