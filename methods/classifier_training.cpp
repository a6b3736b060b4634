#include "methods/classifier_training.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops.h"
#include "kernels/span.h"
#include "methods/augmentation_keys.h"
#include "nn/models/cdeepex_classifier.h"
#include "nn/models/ganmex_classifier.h"
#include "nn/models/lenet.h"

namespace counterfoil::methods {

namespace {

int outputs_for(const data::Splits& splits) {
  const std::size_t classes = splits.train.class_names.size();
  if (classes < 2) fail("classifier: expected at least two classes, found {}", classes);
  return classes == 2 ? 1 : static_cast<int>(classes);
}

nn::LeNetOptions lenet_options(const ClassifierConfig& config, const data::Splits& splits) {
  nn::LeNetOptions options;
  options.image = {splits.train.height, splits.train.width, splits.train.channels};
  options.outputs = outputs_for(splits);
  options.dropout_features = config.dropout_features;
  options.dropout_hidden = config.dropout_hidden;
  return options;
}

std::shared_ptr<nn::Network> make_network(const ClassifierConfig& config, const data::Splits& splits,
                                          const nn::Init& init) {
  const nn::LeNetOptions options = lenet_options(config, splits);
  if (config.network == "ganmex") {
    return std::make_shared<nn::GanmexClassifier>(
        init, nn::GanmexClassifierOptions{.image = options.image, .outputs = options.outputs});
  }
  if (config.network == "lenet") return std::make_shared<nn::LeNet>(init, options);
  if (options.image.channels != 1) {
    fail("network cdeepex: expected grey images, found {} channels", options.image.channels);
  }
  return std::make_shared<nn::CdeepexClassifier>(init, options.outputs);
}

nn::PlateauOptions plateau_options(const ClassifierConfig& config) {
  nn::PlateauOptions options;
  options.factor = config.plateau_factor;
  options.patience = static_cast<int>(config.plateau_patience);
  return options;
}

struct Batch {
  Tensor images;  // [N,H,W,C]
  Tensor labels;  // i32 [N]
};

Batch batch_of(const data::Dataset& dataset, const std::vector<std::int32_t>& positions, Device& device) {
  std::vector<std::int32_t> labels;
  for (const std::int32_t position : positions) labels.push_back(dataset.labels[static_cast<std::size_t>(position)]);
  return {dataset.images(positions, device), Tensor::from(labels, Shape{std::ssize(labels)}, device)};
}

// Calls body with consecutive parts of a dataset.
template <typename Body>
void for_each_part(const data::Dataset& dataset, Device& device, Body&& body) {
  constexpr std::int64_t kPart = 256;
  for (std::int64_t first = 0; first < dataset.size(); first += kPart) {
    std::vector<std::int32_t> positions(static_cast<std::size_t>(std::min(kPart, dataset.size() - first)));
    std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(first));
    body(batch_of(dataset, positions, device));
  }
}

// -log p(label), mean over the batch: the BCE of one logit, or the cross entropy of a logit per class.
Variable label_loss(const Variable& logits, const Tensor& labels) {
  if (logits.shape()[1] > 1) return cross_entropy(logits, labels);
  return bce_with_logits(logits, convert(labels, DType::f32).reshape(logits.shape()));
}

// How many decisions are the label, [1].
Tensor correct(const Tensor& logits, const Tensor& labels) {
  const Tensor decisions = logits.shape()[1] == 1 ? unary(UnaryOp::greater_than, logits, 0).reshape({-1})
                                                  : convert(argmax(logits), DType::f32);
  return reduce(ReduceOp::sum, binary(BinaryOp::equal, decisions, convert(labels, DType::f32)), {0});
}

}  // namespace

void ClassifierConfig::declare(nn::Keys& keys) {
  keys.add("network", network, {"lenet", "cdeepex", "ganmex"}, "what is trained");
  keys.add("batch", batch, 1, 65536, "images per step");
  keys.add("learning_rate", learning_rate, 0, 1, "of Adam, at the start");
  keys.add("plateau_factor", plateau_factor, 1e-6, 1, "the rate's factor when the validation loss stops falling");
  keys.add("plateau_patience", plateau_patience, 0, 100000, "epochs without improvement that are borne");
  keys.add("dropout_features", dropout_features, 0, 0.99, "of the LeNet, after the convolutions");
  keys.add("dropout_hidden", dropout_hidden, 0, 0.99, "of the LeNet, after the hidden layer");
  declare_augmentation(keys, augmentation);
}

ClassifierTraining::ClassifierTraining(const ClassifierConfig& config, data::Splits splits, std::uint64_t seed,
                                       Device& device)
    : config_(config),
      splits_(std::move(splits)),
      device_(device),
      weights_random_(seed, "weights"),
      dropout_random_(seed, "dropout"),
      augmentation_random_(seed, "augmentation"),
      sampler_(splits_.train.size(), config.batch, seed, "batches"),
      network_(make_network(config, splits_, nn::Init{weights_random_, device})),
      classifier_(network_, outputs_for(splits_)),
      optimiser_(nn::adam(network_->named_parameters(), {config.learning_rate})),
      schedule_(device, plateau_options(config)) {
  state_.modules = {{"classifier", network_.get()}, {"training.plateau", &schedule_}};
  state_.optimisers = {{"classifier", optimiser_.get()}};
  state_.randoms = {
      {"batches", &sampler_.progress()}, {"dropout", &dropout_random_}, {"augmentation", &augmentation_random_}};
}

std::vector<Tensor> ClassifierTraining::draw() {
  epoch_ = sampler_.epoch();
  const Batch batch = batch_of(splits_.train, sampler_.next(), device_);
  return {data::augment(batch.images, config_.augmentation, augmentation_random_), batch.labels};
}

nn::DeviceTerms ClassifierTraining::compute(const std::vector<Tensor>& batch) {
  const Span span(device_, "classifier");
  const Variable logits = network_->forward(batch[0], nn::Pass::train(dropout_random_));  // [N,1] or [N,K]
  const Variable loss = label_loss(logits, batch[1]);
  const Tensor hits = correct(logits.value(), batch[1]);
  optimiser_->minimise(loss);
  return {{"loss", loss.value()}, {"accuracy", hits}};
}

nn::LossTerms ClassifierTraining::finish(const nn::DeviceTerms& terms) {
  nn::LossTerms values = Trainable::finish(terms);
  values[1].second /= static_cast<double>(config_.batch);
  if (sampler_.epoch() > epoch_ && splits_.validation.size() > 0) schedule_.observe(validation_loss(), *optimiser_);
  return values;
}

double ClassifierTraining::validation_loss() {
  const NoGrad no_grad;
  double sum = 0;
  for_each_part(splits_.validation, device_, [&](const Batch& part) {
    const Variable loss = label_loss(classifier_.logits(part.images), part.labels);
    sum += loss.item() * static_cast<double>(part.labels.size());
  });
  return sum / static_cast<double>(splits_.validation.size());
}

double accuracy(nn::Classifier& classifier, const data::Dataset& dataset, Device& device) {
  const NoGrad no_grad;
  if (dataset.size() == 0) fail("accuracy: no images");
  double hits = 0;
  for_each_part(dataset, device, [&](const Batch& part) {
    hits += correct(classifier.logits(part.images).value(), part.labels).item();
  });
  return hits / static_cast<double>(dataset.size());
}

}  // namespace counterfoil::methods
