#include "kernels/listening_device.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "kernels/error.h"

namespace counterfoil {

template <typename F>
void ListeningDevice::tell(std::string_view name, Work work, F&& f) {
  const std::size_t token = listener_->begin({name, {}, {}, {}, work});
  try {
    f();
  } catch (...) {
    listener_->abandon(token);
    throw;
  }
  listener_->end(token);
}

void ListeningDevice::copy_from_host(void* target, const void* source, std::size_t bytes) {
  tell("copy_from_host", {static_cast<double>(bytes), 0}, [&] { inner_.copy_from_host(target, source, bytes); });
}

void ListeningDevice::copy_to_host(void* target, const void* source, std::size_t bytes) {
  tell("copy_to_host", {static_cast<double>(bytes), 0}, [&] { inner_.copy_to_host(target, source, bytes); });
}

void ListeningDevice::copy_within(void* target, const void* source, std::size_t bytes) {
  tell("copy_within", {2 * static_cast<double>(bytes), 0}, [&] { inner_.copy_within(target, source, bytes); });
}

std::size_t ListeningDevice::begin_span(const char* name) {
  if (auto* const sink = dynamic_cast<SpanSink*>(&inner_)) sink->begin_span(name);
  return listener_->begin_span(name);
}

void ListeningDevice::end_span(std::size_t token) noexcept {
  listener_->end_span(token);
  if (auto* const sink = dynamic_cast<SpanSink*>(&inner_)) sink->end_span(0);
}

class ListeningDevice::ListenedGraph final : public Graph {
 public:
  ListenedGraph(ListeningDevice& device, std::unique_ptr<Graph> inner, const WorkMeter& meter)
      : device_(device), inner_(std::move(inner)), what_(fmt::format("of {} calls", meter.calls)), work_(meter.total) {}

  const std::vector<Draw>& draws() const override { return inner_->draws(); }
  const std::vector<Update>& updates() const override { return inner_->updates(); }
  void launch(const Changes& changes) override {
    const std::size_t token = device_.listener_->begin({"graph", what_, {}, {}, work_});
    inner_->launch(changes);
    device_.listener_->end(token);
  }

 private:
  ListeningDevice& device_;
  std::unique_ptr<Graph> inner_;
  std::string what_;
  Work work_;
};

std::unique_ptr<Graph> ListeningDevice::record(const std::function<void()>& work) {
  WorkMeter meter;
  CallListener* const listener = std::exchange(listener_, &meter);
  backend_.set_listener(meter);
  struct Restore {
    ListeningDevice& device;
    CallListener* listener;
    ~Restore() {
      device.listener_ = listener;
      device.backend_.set_listener(*listener);
    }
  };
  std::unique_ptr<Graph> graph;
  {
    const Restore restore{*this, listener};
    graph = counterfoil::record(inner_, work);
  }
  return std::make_unique<ListenedGraph>(*this, std::move(graph), meter);
}

bool has_graphs(const Device& device) {
  const auto* const recorder = dynamic_cast<const GraphRecorder*>(&device);
  return recorder != nullptr && recorder->has_graphs();
}

std::unique_ptr<Graph> record(Device& device, const std::function<void()>& work) {
  if (!has_graphs(device)) fail("device '{}' has no graphs", device.name());
  return dynamic_cast<GraphRecorder&>(device).record(work);
}

}  // namespace counterfoil
