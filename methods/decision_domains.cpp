#include "methods/decision_domains.h"

#include <algorithm>

#include "autograd/ops.h"

namespace counterfoil::methods {

namespace {

/// Positions of the images that the classifier puts in a domain.
std::vector<std::int32_t> positions_of(const std::vector<std::int32_t>& decisions, int domain) {
  std::vector<std::int32_t> positions;
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    if (decisions[i] == domain) positions.push_back(static_cast<std::int32_t>(i));
  }
  return positions;
}

std::array<data::Dataset, 2> split_by_decision(const std::string& method, nn::Classifier& classifier,
                                               const data::Dataset& dataset, Device& device) {
  check_two_classes(method, classifier);
  const std::vector<std::int32_t> decisions =
      classifier.decisions(dataset.all_images(device)).to_vector<std::int32_t>();
  return {dataset.subset(positions_of(decisions, 0)), dataset.subset(positions_of(decisions, 1))};
}

}  // namespace

void check_two_classes(const std::string& method, const nn::Classifier& classifier) {
  if (classifier.class_count() == 2) return;
  fail("{}: expected a classifier of 2 classes, found {}; against_all asks about one of them against all the others",
       method, classifier.class_count());
}

DomainBatches::DomainBatches(const std::string& method, nn::Classifier& classifier, const data::Dataset& train,
                             std::int64_t batch, const data::AugmentationOptions& augmentation, std::uint64_t seed,
                             Device& device)
    : augmentation_(augmentation),
      device_(device),
      domains_(split_by_decision(method, classifier, train, device)),
      samplers_{data::BatchSampler(domains_[0].size(), batch, seed, "batches_0"),
                data::BatchSampler(domains_[1].size(), batch, seed, "batches_1")},
      augmentation_random_(seed, "augmentation") {}

Tensor DomainBatches::next(int domain) {
  const data::Dataset& images = domains_[static_cast<std::size_t>(domain)];
  data::BatchSampler& sampler = samplers_[static_cast<std::size_t>(domain)];
  if (images.size() < sampler.batch()) {
    fail("the classifier puts {} training images in class {}, fewer than a batch of {}", images.size(), domain,
         sampler.batch());
  }
  return data::augment(images.images(sampler.next(), device_), augmentation_, augmentation_random_);
}

void DomainBatches::remember_in(nn::TrainingState& state) {
  for (std::size_t domain = 0; domain < 2; ++domain)
    state.randoms.emplace_back("batches_" + std::to_string(domain), &samplers_[domain].progress());
  state.randoms.emplace_back("augmentation", &augmentation_random_);
}

ClassBatches::ClassBatches(nn::Classifier& classifier, const data::Dataset& train,
                           const data::AugmentationOptions& augmentation, std::uint64_t seed, Device& device)
    : augmentation_(augmentation), device_(device), train_(train), augmentation_random_(seed, "augmentation") {
  std::vector<std::int32_t> decisions;
  if (train.size() > 0) decisions = classifier.decisions(train.all_images(device)).to_vector<std::int32_t>();
  for (int k = 0; k < classifier.class_count(); ++k) {
    domains_.push_back(positions_of(decisions, k));
    samplers_.emplace_back(std::ssize(domains_.back()), 1, seed, "batches_" + std::to_string(k));
  }
}

Tensor ClassBatches::next(const std::vector<std::int32_t>& classes) {
  std::vector<std::int32_t> positions;
  for (const std::int32_t k : classes) {
    const std::vector<std::int32_t>& domain = domains_[static_cast<std::size_t>(k)];
    if (domain.empty()) fail("the classifier puts no training image in class {}", k);
    const std::int32_t place = samplers_[static_cast<std::size_t>(k)].next().front();
    positions.push_back(domain[static_cast<std::size_t>(place)]);
  }
  return data::augment(train_.images(positions, device_), augmentation_, augmentation_random_);
}

void ClassBatches::remember_in(nn::TrainingState& state) {
  for (std::size_t k = 0; k < samplers_.size(); ++k)
    state.randoms.emplace_back("batches_" + std::to_string(k), &samplers_[k].progress());
  state.randoms.emplace_back("augmentation", &augmentation_random_);
}

Tensor by_group(const Tensor& x, const std::vector<std::int32_t>& groups,
                const std::function<Tensor(const Tensor&, int, const Tensor&)>& each) {
  const NoGrad no_grad;
  std::vector<Tensor> parts;
  std::vector<std::int32_t> origin;  // where each row of the joined parts came from
  const std::int32_t last = groups.empty() ? -2 : *std::ranges::max_element(groups);
  for (std::int32_t group = -1; group <= last; ++group) {
    const std::vector<std::int32_t> positions = positions_of(groups, group);
    if (positions.empty()) continue;
    const Tensor index = Tensor::from(positions, {static_cast<std::int64_t>(positions.size())}, x.device());
    const Tensor part = gather_rows(x, index);
    parts.push_back(group < 0 ? part : each(part, group, index));
    origin.insert(origin.end(), positions.begin(), positions.end());
  }
  if (parts.empty()) return x;
  const Tensor index = Tensor::from(origin, {static_cast<std::int64_t>(origin.size())}, x.device());
  return scatter_add_rows(concat(parts, 0), index, x.shape()[0]);
}

Tensor by_decision(nn::Classifier& classifier, const Tensor& x, const std::function<Tensor(const Tensor&, int)>& each) {
  const NoGrad no_grad;
  return by_group(x, classifier.decisions(x).to_vector<std::int32_t>(),
                  [&](const Tensor& part, int domain, const Tensor& /*positions*/) { return each(part, domain); });
}

std::vector<Tensor> lead(nn::Classifier& classifier, const Tensor& x, const Tensor& targets, bool by_domain,
                         std::size_t count, const LeadEach& each) {
  const NoGrad no_grad;
  const std::vector<std::int32_t> from = classifier.decisions(x).to_vector<std::int32_t>(),
                                  to = targets.to_vector<std::int32_t>();
  std::vector<std::int32_t> groups;  // those that one network leads at once
  for (std::size_t i = 0; i < from.size(); ++i) groups.push_back(from[i] == to[i] ? -1 : by_domain ? from[i] : 0);

  const std::int64_t channels = x.shape()[3];
  const Tensor copies = concat(std::vector<Tensor>(count, x), 3);  // each becomes one of the images
  const Tensor drawn = by_group(copies, groups, [&](const Tensor& part, int group, const Tensor& positions) {
    std::vector<std::int32_t> part_from, part_to;
    for (const std::int32_t i : positions.to_vector<std::int32_t>()) {
      part_from.push_back(from[static_cast<std::size_t>(i)]);
      part_to.push_back(to[static_cast<std::size_t>(i)]);
    }
    const Crossing forth{group, Tensor::from(part_from, positions.shape(), x.device()),
                         Tensor::from(part_to, positions.shape(), x.device())};
    return concat(each(slice(part, 3, 0, channels), forth), 3).value();
  });
  std::vector<Tensor> images;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i)
    images.push_back(slice(drawn, 3, i * channels, (i + 1) * channels));
  return images;
}

Decisions decide(nn::Classifier& classifier, const Tensor& x) {
  const NoGrad no_grad;
  const Tensor same = classifier.decisions(x);
  const Tensor opposite = unary(UnaryOp::affine, convert(same, DType::f32), -1, 1);  // on the device: no wait for it
  return {same, convert(opposite, DType::i32)};
}

}  // namespace counterfoil::methods
