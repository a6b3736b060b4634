#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "kernels/cuda/router.h"

#if !defined(COUNTERFOIL_SIMT)
#include <dlfcn.h>
#endif

namespace counterfoil::cuda {

namespace {

#if defined(COUNTERFOIL_SIMT)

std::unique_ptr<Products> load_products(Device& device, cudaStream_t stream, bool tf32) {
  return open_products(device, stream, tf32);
}

#else

// The libraries take 290 MB and a tenth of a second to load, and may be missing; so they are behind a library of their
// own, beside this one.
std::unique_ptr<Products> load_products(Device& device, cudaStream_t stream, bool tf32) {
  constexpr const char* kName = "libcounterfoil_cuda_vendor.so";
  Dl_info here{};
  std::filesystem::path file = kName;
  if (dladdr(reinterpret_cast<void*>(&load_products), &here) != 0 && here.dli_fname != nullptr) {
    file = std::filesystem::path(here.dli_fname).parent_path() / kName;
  }
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    fail("route 'vendor': built without cuDNN and cuBLAS, or they cannot be loaded: {}", dlerror());
  }
  using Open = Products*(Device&, cudaStream_t, bool);
  auto* const open = reinterpret_cast<Open*>(dlsym(library, "counterfoil_open_products"));
  if (open == nullptr) fail("route 'vendor': {} is of another version: {}", kName, dlerror());
  return std::unique_ptr<Products>(open(device, stream, tf32));
}

#endif

/// What follows PREFIX: in a route, or nothing.
std::string_view after(std::string_view route, std::string_view prefix) {
  return route.starts_with(prefix) ? route.substr(prefix.size()) : std::string_view();
}

}  // namespace

Router::Router(Device& device, cudaStream_t stream) : device_(device), stream_(stream) {}

void Router::set(std::string_view route) {
  const std::string_view measured = after(route, "benchmark:"), given = after(route, "table:");
  std::unique_ptr<Products> products;
  std::unique_ptr<RouteTable> table;
  std::string why_own;
  if (route == "auto") {
#if !defined(COUNTERFOIL_SIMT)
    try {
      products = load_products(device_, stream_, false);
    } catch (const Error& error) {
      why_own = error.what();
    }
#endif
  } else if (route == "vendor" || route == "vendor-tf32" || !measured.empty() || !given.empty()) {
    products = load_products(device_, stream_, route == "vendor-tf32");
    if (!measured.empty()) table = std::make_unique<RouteTable>(measured, true);
    if (!given.empty()) table = std::make_unique<RouteTable>(given, false);
  } else if (route != "own") {
    fail("route '{}': expected auto, own, vendor, vendor-tf32, benchmark:FILE or table:FILE", route);
  }
  if (products_ != nullptr) device_.synchronize();  // what the libraries have queued may use their memory
  products_ = std::move(products);
  table_ = std::move(table);
  measures_ = !measured.empty();
  why_own_ = std::move(why_own);
}

std::string Router::description() const {
  if (products_ == nullptr) return why_own_.empty() ? "own kernels" : fmt::format("own kernels ({})", why_own_);
  return fmt::format("products by {}", products_->description());
}

double Router::microseconds(const std::function<void()>& product) const {
  struct Event {
    cudaEvent_t event = nullptr;
    Event() { check(cudaEventCreate(&event), "cudaEventCreate"); }
    ~Event() { cudaEventDestroy(event); }
  };
  const Event start, stop;
  float milliseconds = 0;
  check(cudaEventRecord(start.event, stream_), "cudaEventRecord");
  product();
  check(cudaEventRecord(stop.event, stream_), "cudaEventRecord");
  check(cudaEventSynchronize(stop.event), "cudaEventSynchronize");
  check(cudaEventElapsedTime(&milliseconds, start.event, stop.event), "cudaEventElapsedTime");
  return 1e3 * static_cast<double>(milliseconds);
}

bool Router::measured_best(const std::string& key, const std::function<bool(Products&)>& vendor,
                           const std::function<void()>& own) {
  if (!vendor(*products_)) return false;  // the first run of each plans, loads and allocates
  own();
  std::array<double, 5> own_times{}, vendor_times{};
  for (std::size_t i = 0; i < own_times.size(); ++i) {
    own_times[i] = microseconds(own);
    vendor_times[i] = microseconds([&] { vendor(*products_); });
  }
  std::ranges::sort(own_times);
  std::ranges::sort(vendor_times);
  table_->add(key, own_times[2], vendor_times[2]);
  return *table_->is_vendor(key);
}

void Router::run(const std::function<std::string()>& key, const std::function<bool(Products&)>& vendor,
                 const std::function<void()>& own) {
  if (products_ == nullptr) return own();
  bool by_vendor = true;
  if (table_ != nullptr) {
    const std::string name = key();
    const std::optional<bool> known = table_->is_vendor(name);
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(stream_, &capture), "cudaStreamIsCapturing");
    if (known) {
      by_vendor = *known;
    } else if (measures_ && capture == cudaStreamCaptureStatusNone) {
      by_vendor = measured_best(name, vendor, own);
    }
  }
  if (!by_vendor || !vendor(*products_)) own();
}

Router& router(Device& device, cudaStream_t stream) {
  static Router& router = *new Router(device, stream);  // never destroyed, as the device
  return router;
}

}  // namespace counterfoil::cuda
