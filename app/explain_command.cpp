#include <fmt/format.h>

#include "app/commands.h"
#include "app/explaining.h"
#include "app/outputs.h"
#include "app/progress.h"
#include "app/queries.h"
#include "app/report.h"
#include "data/image_file.h"
#include "kernels/error.h"
#include "tensor/nearest_name.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

enum class Form : std::uint8_t { tensors, picture, pictures };

Form form_of(const std::filesystem::path& output) {
  if (output.extension() == ".safetensors") return Form::tensors;
  if (output.extension() == ".png") return Form::picture;
  if (!output.extension().empty() && !std::filesystem::is_directory(output)) {
    fail("--output {}: expected a .safetensors file, a .png file or a folder", in_quotes(output.string()));
  }
  return Form::pictures;
}

/// What is drawn of the image at a place, in its own size.
data::Image picture(const std::string& name, const Tensor& tensor, std::int64_t at) {
  const Shape& shape = tensor.shape();  // [N,H,W,1] or [N,H,W,3]
  const std::vector<float> values = slice(tensor, 0, at, at + 1).to_vector<float>();
  return name == "map" ? heat_image(values, shape[1], shape[2])
                       : grey_or_colour_image(values, shape[1], shape[2], shape[3]);
}

void write_pictures(const std::filesystem::path& folder, const std::vector<std::string>& names,
                    const std::map<std::string, Tensor>& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const bool drawn = tensor.shape().rank() == 4 && (tensor.shape()[3] == 1 || tensor.shape()[3] == 3);
    if (!drawn || name == "input" || name == "difference") continue;  // that one has signs; "picture" shows it
    for (std::size_t i = 0; i < names.size(); ++i)
      data::write_png(folder / fmt::format("{}.{}.png", names[i], name),
                      picture(name, tensor, static_cast<std::int64_t>(i)));
  }
}

}  // namespace

int explain_command(const ExplainArguments& arguments) {
  const Form form = form_of(arguments.output);
  if (form != Form::pictures) check_outputs({arguments.output}, arguments.input);
  Device& device = open_device(arguments.where);
  ExplainerRun explained = load_explainer(arguments.run, device);
  const Queries queries = read_queries(arguments.input, explained.run.data.splits.train, device);
  if (form == Form::picture && queries.names.size() > 1) {
    fail("--output {}: one picture, but {} images; a folder takes more", in_quotes(arguments.output.string()),
         queries.names.size());
  }
  Tensor targets;  // the runners-up
  if (!arguments.target.empty()) {
    const std::vector<std::int32_t> target(queries.names.size(), target_named(explained, arguments.target));
    targets = Tensor::from(target, {std::ssize(target)}, device);
  }
  if (form == Form::pictures) prepare_folder(arguments.output, queries.names);
  const std::map<std::string, Tensor> tensors = explain_images(explained, queries.images, targets);
  if (form == Form::tensors) {
    TensorFile output;
    output.tensors = tensors;
    output.metadata = metadata_of(explained.run);
    write_safetensors(arguments.output, output);
  } else if (form == Form::picture) {
    data::write_png(arguments.output, picture("counterfactual", tensors.at("counterfactual"), 0));
  } else {
    write_pictures(arguments.output, queries.names, tensors);
  }
  fmt::print("{}: {} images explained, {}\n", arguments.output.string(), queries.names.size(),
             peak_memory_text(device));
  return 0;
}

}  // namespace counterfoil::app
