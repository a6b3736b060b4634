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

#if defined(COUNTERFOIL_WITH_SIMT)
#include "kernels/cuda/cuda_device.h"
#endif

namespace counterfoil {

namespace {

constexpr const char* kCudaLibrary = "libcounterfoil_cuda.so";

/// The library of the CUDA device: beside the program, or where the loader looks. It stays open.
void* open_cuda_library() {
  std::error_code unknown;
  const auto beside = std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path() / kCudaLibrary;
  const bool found = std::filesystem::exists(beside, unknown);
  void* const library = dlopen(found ? beside.c_str() : kCudaLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    fail("device 'cuda': this program was built without it, or it cannot be loaded: {}", dlerror());
  return library;
}

Device& cuda_device() {
  static void* const library = open_cuda_library();
  using Open = Device*();
  auto* const open = reinterpret_cast<Open*>(dlsym(library, "counterfoil_open_cuda"));
  if (open == nullptr) fail("device 'cuda': {} is of another version: {}", kCudaLibrary, dlerror());
  return *open();
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
  Device& device = device_named(name);
  return opened() ? opened()(device) : device;
}

void on_open_device(std::function<Device&(Device&)> function) {
  opened() = std::move(function);
}

}  // namespace counterfoil
