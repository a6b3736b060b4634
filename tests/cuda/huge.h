#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "kernels/backend.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/grid.h"
#include "kernels/simt/simt.h"

// Arrays of more than 2^32 elements, where neither an int nor an unsigned holds a position. They are address space: the
// pages that nothing writes are the system's one page of zeros, and scratch memory so large is poison of the same kind
// (kernels/simt/poison.h). Where a launch would write it all, one block of its grid runs, the one that owns what is
// looked at; a kernel that strides over its grid walks from end to end in it.

namespace counterfoil::cuda_test {

inline constexpr std::int64_t k2To31 = std::int64_t{1} << 31, k2To32 = std::int64_t{1} << 32;

/// Zeros of some type, of which the machine holds what was written.
class Sparse {
 public:
  explicit Sparse(const Shape& shape, DType dtype = DType::f32)
      : bytes_(static_cast<std::size_t>(shape.size()) * size_of(dtype)) {
    data_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data_ == MAP_FAILED) return;
    ::madvise(data_, bytes_, MADV_NOHUGEPAGE);  // a page for each element written, not 2 MiB
    view_ = {data_, shape, dtype};
  }
  ~Sparse() {
    if (data_ != MAP_FAILED) ::munmap(data_, bytes_);
  }
  Sparse(const Sparse&) = delete;
  Sparse& operator=(const Sparse&) = delete;

  bool there() const { return data_ != MAP_FAILED; }
  const View& view() const { return view_; }
  template <typename T = float>
  T& at(std::int64_t i) const {
    return view_.as<T>()[i];
  }

 private:
  std::size_t bytes_;
  void* data_;
  View view_;
};

#define SKIP_UNLESS(...)                     \
  for (const Sparse* sparse : {__VA_ARGS__}) \
    if (!sparse->there()) GTEST_SKIP() << "no address space for it"

class CudaHuge : public testing::Test {
 protected:
  void SetUp() override { simt::set_faults({.memory = std::size_t{1} << 40}); }
  void TearDown() override {
    simt::set_options({});
    cuda::open().trim();
    simt::set_faults({});
  }

  /// Runs a primitive; of its launches, in order, these blocks alone, the last one for those that follow.
  template <typename F>
  static void run(const std::vector<std::int64_t>& blocks, F&& primitive) {
    std::size_t launch = 0;
    simt::set_options({.only_block = [&] { return blocks[std::min(launch++, blocks.size() - 1)]; }});
    run_all(primitive);
    simt::set_options({});
  }
  template <typename F>
  static void run(std::int64_t block, F&& primitive) {
    run(std::vector{block}, primitive);
  }
  template <typename F>
  static void run_all(F&& primitive) {
    primitive(cuda::open().backend());
    cuda::open().synchronize();
  }

  /// The block that owns an item of a strided loop over so many.
  static std::int64_t owner(std::int64_t item, std::int64_t items, int threads = cuda::kThreads) {
    return item / threads % cuda::blocks_for(items, threads);
  }
};

}  // namespace counterfoil::cuda_test
