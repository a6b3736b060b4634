#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace counterfoil {

class Backend;

/// Bytes held by a device's caching allocator.
struct MemoryUse {
  std::size_t in_use = 0;        ///< handed out and not yet released
  std::size_t high_water = 0;    ///< largest in_use since the last reset_high_water()
  std::size_t reserved = 0;      ///< obtained from the system, in use or cached
  std::size_t system_calls = 0;  ///< requests that the cache could not serve; constant in a steady state
};

/// A place where arrays live and primitives run: memory, copies and a Backend. Devices are process-wide singletons that
/// are never destroyed, so a Device* is a valid identity for the life of the program.
class Device {
 public:
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  virtual std::string_view name() const = 0;    ///< "reference", "cpu", "cuda", "simt"
  virtual std::string description() const = 0;  ///< what the user sees: processor or GPU, library versions
  virtual bool host_accessible() const = 0;     ///< whether the host may read and write the memory directly

  /// Memory from the device's caching allocator, aligned to 64 bytes (256 on cuda). Null for zero bytes.
  /// Throws Error naming the request and what is in use when the device has no more.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* data, std::size_t bytes) noexcept = 0;
  virtual MemoryUse memory_use() const = 0;
  virtual void reset_high_water() = 0;
  /// Returns cached, unused memory to the system.
  virtual void trim() = 0;

  /// Copies complete before they return and are ordered after the primitives launched before them.
  virtual void copy_from_host(void* target, const void* source, std::size_t bytes) = 0;
  virtual void copy_to_host(void* target, const void* source, std::size_t bytes) = 0;
  virtual void copy_within(void* target, const void* source, std::size_t bytes) = 0;
  /// Waits for everything launched so far.
  virtual void synchronize() = 0;

  virtual Backend& backend() = 0;

 protected:
  Device() = default;
};

Device& reference_device();  ///< plain loops, f32 and f64, the same bits on any IEEE machine
Device& cpu_device();        ///< oneDNN and vectorised loops, f32 (bf16 as a compute type)

/// Opens a device by name: "reference", "cpu", "cuda", "simt", or "auto" (cuda where one works, else cpu).
/// Throws Error that says why a device cannot be had, and lists the names on an unknown one.
Device& open_device(std::string_view name);
std::vector<std::string> device_names();

/// Threads used by the CPU backend's loops, at least 1. Results never depend on it.
void set_thread_count(int threads);
int thread_count();

}  // namespace counterfoil
