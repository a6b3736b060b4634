#pragma once

#include <functional>

#include "kernels/call_listener.h"
#include "kernels/graph.h"
#include "kernels/listening_backend.h"
#include "kernels/span.h"

namespace counterfoil {

/// Another device with a listener told of every primitive, copy and span. A graph is one call named "graph", with the
/// work of all that was recorded.
class ListeningDevice final : public Device, public SpanSink, public GraphRecorder {
 public:
  /// Both must outlive this object, and this object every array on it.
  ListeningDevice(Device& inner, CallListener& listener)
      : inner_(inner), listener_(&listener), backend_(inner.backend(), listener) {}

  std::string_view name() const override { return inner_.name(); }
  std::string description() const override { return inner_.description(); }
  bool host_accessible() const override { return inner_.host_accessible(); }
  void* allocate(std::size_t bytes) override { return inner_.allocate(bytes); }
  void release(void* data, std::size_t bytes) noexcept override { inner_.release(data, bytes); }
  MemoryUse memory_use() const override { return inner_.memory_use(); }
  void reset_high_water() override { inner_.reset_high_water(); }
  void trim() override { inner_.trim(); }
  void copy_from_host(void* target, const void* source, std::size_t bytes) override;
  void copy_to_host(void* target, const void* source, std::size_t bytes) override;
  void copy_within(void* target, const void* source, std::size_t bytes) override;
  void synchronize() override { inner_.synchronize(); }
  Backend& backend() override { return backend_; }

  std::size_t begin_span(const char* name) override;
  void end_span(std::size_t token) noexcept override;
  bool has_graphs() const override { return counterfoil::has_graphs(inner_); }
  std::unique_ptr<Graph> record(const std::function<void()>& work) override;

 private:
  class ListenedGraph;
  template <typename F>
  void tell(std::string_view name, Work work, F&& f);

  Device& inner_;
  CallListener* listener_;
  ListeningBackend backend_;
};

/// From now on open_device returns function(device) in the place of each device; an empty function ends that.
void on_open_device(std::function<Device&(Device&)> function);

}  // namespace counterfoil
