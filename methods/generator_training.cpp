#include "methods/generator_training.h"

#include "autograd/ops.h"
#include "methods/augmentation_keys.h"

namespace counterfoil::methods {

void GeneratorConfig::declare(nn::Keys& keys) {
  keys.add("batch", batch, 1, 4096, "images per step, of each domain where the method has two");
  keys.add("generator_learning_rate", generator_learning_rate, 0, 1, "of Adam for the generators");
  keys.add("beta1", beta1, 0, 0.999999, "of Adam");
  keys.add("beta2", beta2, 0, 0.999999, "of Adam");
  keys.add("generator_width", generator_width, 1, 1024, "channels of the U-Net's finest level; doubles per level");
  keys.add("generator_levels", generator_levels, 1, 6, "times the U-Net halves the image");
  keys.add("batch_norm", batch_norm, {"frozen", "batch"},
           "statistics of the generators' batch norm in training: none (a plain affine map) or the batch's");
  keys.add("dropout", dropout, 0, 0.99, "probability after each convolution block of the generators");
  declare_augmentation(keys, augmentation);
}

nn::UNetOptions GeneratorConfig::unet(const data::Dataset& images) const {
  nn::UNetOptions options;
  options.channels = options.outputs = images.channels;
  options.widths.clear();
  for (std::int64_t level = 0; level <= generator_levels; ++level) options.widths.push_back(generator_width << level);
  options.dropout = dropout;
  options.output = nn::UNetOutput::identity;
  return options;
}

void ImageGeneratorConfig::declare(nn::Keys& keys) {
  GeneratorConfig::declare(keys);
  keys.add("output", output, {"clip", "sigmoid"}, "how the generators' output is kept in [0, 1]");
}

nn::UNetOptions ImageGeneratorConfig::unet(const data::Dataset& images) const {
  nn::UNetOptions options = GeneratorConfig::unet(images);
  options.output = output == "sigmoid" ? nn::UNetOutput::sigmoid : nn::UNetOutput::clip;
  return options;
}

nn::Pass GeneratorConfig::training_pass(Random& dropout_random) const {
  nn::Pass pass = nn::Pass::train(dropout_random);
  pass.batch_statistics = batch_norm == "batch";
  return pass;
}

GeneratorLoss weigh(const std::vector<WeightedTerm>& terms) {
  GeneratorLoss loss;
  for (const WeightedTerm& term : terms) {
    const Variable weighted = term.value * term.weight;
    loss.total = loss.total.defined() ? loss.total + weighted : weighted;
    loss.terms.emplace_back(term.name, term.value);
  }
  return loss;
}

Variable with_planes(const Variable& x, const Variable& planes) {
  const Shape& shape = x.shape();
  const std::int64_t count = planes.shape()[1];
  const Variable cells = reshape(planes, Shape{shape[0], 1, 1, count});
  return concat({x, broadcast_to(cells, Shape{shape[0], shape[1], shape[2], count})}, 3);
}

Variable mixed_distance(const Variable& a, const Variable& b) {
  return (l1_loss(a, b) + l2_loss(a, b)) * 0.5;
}

}  // namespace counterfoil::methods
