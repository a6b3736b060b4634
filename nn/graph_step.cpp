#include "nn/graph_step.h"

#include <algorithm>
#include <utility>

#include "kernels/error.h"

namespace counterfoil::nn {

namespace {

const void* first_parameter(const Optimiser& optimiser) {
  return optimiser.parameters().front().value().view().data;
}

bool same(const RandomKey& a, const RandomKey& b) {
  return a.seed == b.seed && a.stream == b.stream;
}

}  // namespace

GraphStep::GraphStep(Trainable& trainable, Device& device) : trainable_(trainable), device_(device) {
  if (!has_graphs(device)) fail("graph: device '{}' has no graphs", device.name());
}

GraphStep::~GraphStep() = default;

LossTerms GraphStep::run() {
  if (!std::exchange(warm_, true)) return trainable_.train_step();
  std::vector<Tensor> batch = trainable_.draw();
  if (graph_ == nullptr) {
    batch_ = std::move(batch);
    record();
  } else {
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      if (!(batch[i].shape() == batch_[i].shape())) {
        fail("graph: recorded with a batch {}, drawn {}", batch_[i].shape().to_string(), batch[i].shape().to_string());
      }
      if (batch_[i].bytes() > 0)
        device_.copy_within(batch_[i].mutable_view().data, batch[i].view().data, batch_[i].bytes());
    }
  }
  launch();
  return trainable_.finish(terms_);
}

void GraphStep::record() {
  TrainingState& state = trainable_.training_state();
  for (const auto& [name, random] : state.randoms) randoms_.push_back({name, random, random->position(), 0});
  for (const auto& [name, optimiser] : state.optimisers) optimisers_.push_back({optimiser, optimiser->steps(), 0});
  std::vector<std::pair<Tensor*, Tensor>> buffers;
  for (const auto& [name, module] : state.modules) {
    for (const auto& [buffer_name, buffer] : module->named_buffers()) buffers.emplace_back(buffer, *buffer);
  }
  graph_ = counterfoil::record(device_, [&] {
    terms_ = trainable_.compute(batch_);
    keep_state_in_place(buffers);
  });
  // Nothing has run yet: back to where the recorded step begins.
  for (RandomUse& use : randoms_) {
    use.words = use.random->position() - use.recorded;
    use.random->seek(use.recorded);
  }
  for (OptimiserUse& use : optimisers_) {
    use.updates = use.optimiser->steps() - use.recorded;
    use.optimiser->count_steps(-use.updates);
  }
  check_draws();
}

// A step may put a new tensor in the place of a buffer (running averages, spectral norm's vectors); the next launch
// reads the old one, so the new values go there.
void GraphStep::keep_state_in_place(const std::vector<std::pair<Tensor*, Tensor>>& before) {
  for (const auto& [buffer, old] : before) {
    if (buffer->shares_storage(old)) continue;
    Tensor place = old;
    if (place.bytes() > 0) device_.copy_within(place.mutable_view().data, buffer->view().data, place.bytes());
    *buffer = place;
  }
}

// The words that the step takes from each stream are those that its primitives draw: none of them on the host, where a
// launch would repeat them, and none from a stream that nobody moves on.
void GraphStep::check_draws() const {
  for (const RandomUse& use : randoms_) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> drawn;
    for (const Graph::Draw& draw : graph_->draws()) {
      if (same(draw.key, use.random->key())) drawn.emplace_back(draw.first, draw.last);
    }
    std::ranges::sort(drawn);
    std::uint64_t covered = use.recorded;
    for (const auto& [first, last] : drawn) {
      if (first <= covered) covered = std::max(covered, last);
    }
    if (covered < use.recorded + use.words) {
      fail("graph: the step draws numbers of the stream '{}' on the host; it cannot be recorded", use.name);
    }
  }
  for (const Graph::Draw& draw : graph_->draws()) {
    const bool known =
        std::ranges::any_of(randoms_, [&](const RandomUse& use) { return same(draw.key, use.random->key()); });
    if (!known) fail("graph: the step draws from a random stream that its training state does not list");
  }
  for (const Graph::Update& update : graph_->updates()) {
    const bool known = std::ranges::any_of(
        optimisers_, [&](const OptimiserUse& use) { return first_parameter(*use.optimiser) == update.parameter; });
    if (!known) fail("graph: the step uses an optimiser that its training state does not list");
  }
}

Graph::Changes GraphStep::changes() const {
  Graph::Changes changes;
  for (const RandomUse& use : randoms_) {
    changes.streams.push_back({use.random->key(), use.random->position() - use.recorded});
  }
  for (const OptimiserUse& use : optimisers_) {
    changes.optimisers.push_back(
        {first_parameter(*use.optimiser), use.optimiser->learning_rate(), use.optimiser->steps() - use.recorded});
  }
  return changes;
}

void GraphStep::launch() {
  graph_->launch(changes());
  for (const RandomUse& use : randoms_) use.random->reserve(use.words);
  for (const OptimiserUse& use : optimisers_) use.optimiser->count_steps(use.updates);
}

}  // namespace counterfoil::nn
