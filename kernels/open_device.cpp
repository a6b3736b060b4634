#include <filesystem>
#include <functional>
#include <string>
#include <system_error>
#include <utility>

#include <dlfcn.h>
#include <fmt/ranges.h>

#include "kernels/device.h"
#include "kernels/error.h"
#include "kernels/listening_device.h"
#include "kernels/route.h"

#if defined(COUNTERFOIL_WITH_SIMT)
#include "kernels/cuda/cuda_device.h"
#endif

namespace counterfoil {

namespace {

constexpr const char* kCudaLibrary = "libcounterfoil_cuda.so";

/// The library of the CUDA device: beside the program, or where the loader looks. It stays open.
void* cuda_library() {
  static void* const library = [] {
    std::error_code unknown;
    const auto beside = std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path() / kCudaLibrary;
    const bool found = std::filesystem::exists(beside, unknown);
    void* const opened = dlopen(found ? beside.c_str() : kCudaLibrary, RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr) {
      fail("device 'cuda': this program was built without it, or it cannot be loaded: {}", dlerror());
    }
    return opened;
  }();
  return library;
}

template <typename Function>
Function* cuda_function(const char* name) {
  auto* const function = reinterpret_cast<Function*>(dlsym(cuda_library(), name));
  if (function == nullptr) fail("device 'cuda': {} is of another version: {}", kCudaLibrary, dlerror());
  return function;
}

Device& cuda_device() {
  return *cuda_function<Device*()>("counterfoil_open_cuda")();
}

std::function<Device&(Device&)>& opened() {
  static std::function<Device&(Device&)> function;
  return function;
}

Device& best_device() {
  try {
    return cuda_device();
  } catch (const Error&) {
    return cpu_device();
  }
}

Device& device_named(std::string_view name) {
  if (name == "auto") return best_device();
  if (name == "cpu") return cpu_device();
  if (name == "cuda") return cuda_device();
  if (name == "reference") return reference_device();
#if defined(COUNTERFOIL_WITH_SIMT)
  if (name == "simt") return cuda::open();
#else
  if (name == "simt") fail("device 'simt': this program was built with ThreadSanitizer, which cannot follow it");
#endif
  fail("device '{}': expected one of {}", name, fmt::join(device_names(), ", "));
}

}  // namespace

std::vector<std::string> device_names() {
  return {"auto", "cpu", "cuda", "reference", "simt"};
}

Device& open_device(std::string_view name) {
  return open_device(name, "auto");
}

Device& open_device(std::string_view name, std::string_view route) {
  Device& device = device_named(name);
  set_route(device, route);
  return opened() ? opened()(device) : device;
}

void on_open_device(std::function<Device&(Device&)> function) {
  opened() = std::move(function);
}

void set_route(Device& device, std::string_view route) {
  if (device.name() == "cuda") return cuda_function<void(std::string_view)>("counterfoil_set_cuda_route")(route);
#if defined(COUNTERFOIL_WITH_SIMT)
  if (device.name() == "simt") return cuda::set_route(route);
#endif
  if (route != "auto") fail("route '{}': device '{}' has one way to compute, and no routes", route, device.name());
}

}  // namespace counterfoil
