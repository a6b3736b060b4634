#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/backend.h"
#include "kernels/device.h"

namespace counterfoil {

/// Work that was recorded once, to be launched again and again as one: a CUDA graph. Its primitives read and write the
/// arrays that they were recorded with. Memory that was allocated while it was recorded belongs to the graph, as long
/// as it lives, though it be released: nobody else is given it.
class Graph {
 public:
  /// Words first to last - 1 of a stream were drawn by one primitive.
  struct Draw {
    RandomKey key;
    std::uint64_t first, last;
  };
  /// One call of an optimiser's primitive. `parameter`: where its first parameter lies.
  struct Update {
    const void* parameter;
  };

  /// What is other than it was recorded; whatever is not named here is the same.
  struct Changes {
    struct Stream {
      RandomKey key;
      std::uint64_t advance;  ///< added, modulo 2^64, to the `first` of every draw of the key
    };
    struct Optimiser {
      const void* parameter;  ///< of the updates that change
      double learning_rate;
      std::int64_t more_steps;  ///< added to AdamStep::step
    };
    std::vector<Stream> streams;
    std::vector<Optimiser> optimisers;
  };

  virtual ~Graph() = default;
  /// In the order of recording.
  virtual const std::vector<Draw>& draws() const = 0;
  virtual const std::vector<Update>& updates() const = 0;
  /// Queues the work behind what was launched before.
  virtual void launch(const Changes& changes) = 0;
};

/// What a device that has graphs is, besides.
class GraphRecorder {
 public:
  virtual ~GraphRecorder() = default;
  virtual bool has_graphs() const { return true; }
  virtual std::unique_ptr<Graph> record(const std::function<void()>& work) = 0;
};

bool has_graphs(const Device& device);

/// Records what `work` launches on the device; nothing of it runs. Throws Error where the device has no graphs, and
/// when `work` copies between host and device, waits for the device, or throws itself: nothing is left recorded then.
std::unique_ptr<Graph> record(Device& device, const std::function<void()>& work);

}  // namespace counterfoil
