#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "kernels/error.h"
#include "kernels/route.h"
#include "kernels/simt/vendor/library_calls.h"
#include "tensor/ops.h"
#include "tests/cases/check.h"
#include "tests/cuda/both.h"

// The route through cuDNN and cuBLAS, with both emulated: their engines that are not to be used give visibly other
// results (kernels/simt/vendor/cudnn.h).

namespace counterfoil::cuda_test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class VendorRoute : public testing::Test {
 protected:
  void SetUp() override { set_route(device_, "vendor"); }
  void TearDown() override {
    simt::set_faults({});
    set_route(device_, "auto");
    fs::remove_all(folder_);
  }

  Tensor tensor(const Shape& shape, std::uint64_t seed) {
    return Tensor::from(scattered(shape, seed).values, shape, device_);
  }
  std::vector<double> convolve(Activation activation = Activation::relu, const Conv2dGeometry& geometry = kSame) {
    const Tensor x = tensor({2, 6, 5, 8}, 1), weight = tensor({4, 3, 3, 8}, 2), bias = tensor({4}, 3);
    return conv2d(x, weight, bias, geometry, activation, 0.2).to_doubles();
  }
  std::uint64_t convolutions_in(const std::function<void()>& work) {
    const std::uint64_t before = simt::library_calls().convolutions;
    work();
    return simt::library_calls().convolutions - before;
  }
  std::string table() const { return (folder_ / "routes.txt").string(); }
  std::string table_text() const {
    std::ostringstream text;
    text << std::ifstream(table()).rdbuf();
    return text.str();
  }
  void write_table(const std::string& text) const {
    fs::create_directories(folder_);
    std::ofstream(table()) << text;
  }

  static inline const Conv2dGeometry kSame = Conv2dGeometry::square(1, 1);
  Device& device_ = cuda::open();
  const fs::path folder_ = fs::temp_directory_path() / ("counterfoil_routes_" + std::to_string(::getpid()));
};

TEST_F(VendorRoute, AgreesWithTheReferenceAndRepeats) {
  const auto calls = [] { return simt::library_calls().convolutions + simt::library_calls().products; };
  for (const auto& family : {cases::convolution_cases(), cases::matmul_cases()}) {
    const std::uint64_t before = calls();
    for (const cases::Case& one : family) {
      if (one.large) continue;
      const cases::Report compared = compare_devices(one, device_);
      EXPECT_TRUE(compared.passed) << compared.message << ", error " << compared.error;
      const cases::Report repeated = check_repeat(one, device_);
      EXPECT_TRUE(repeated.passed) << repeated.message;
    }
    EXPECT_GT(calls(), before + family.size());
  }
}

TEST_F(VendorRoute, IsNotWhatTheEmulationBeginsWith) {
  set_route(device_, "auto");
  EXPECT_THAT(device_.description(), HasSubstr("own kernels"));
  EXPECT_EQ(convolutions_in([&] { convolve(); }), 0u);
  set_route(device_, "vendor");
  EXPECT_THAT(device_.description(), HasSubstr("products by cuDNN 9.19.0, cuBLAS 13.1.0"));
  EXPECT_EQ(convolutions_in([&] { convolve(); }), 1u);
}

// A kernel of our own would meet the refused launch.
TEST_F(VendorRoute, BiasAndReluAreFusedOtherActivationsFollow) {
  const Tensor x = tensor({2, 6, 5, 8}, 1), weight = tensor({4, 3, 3, 8}, 2), bias = tensor({4}, 3);
  const Tensor matrix = tensor({6, 8}, 4), columns = tensor({8, 4}, 5);
  for (const Activation activation : {Activation::identity, Activation::relu}) {
    simt::set_faults({.refused_launch = 1});
    EXPECT_NO_THROW(conv2d(x, weight, bias, kSame, activation, 0));
    EXPECT_NO_THROW(matmul(matrix, columns, false, false, bias, activation, 0));
  }
  const Tensor y = conv2d(x, weight, bias, kSame, Activation::identity, 0);
  EXPECT_THAT([&] { conv2d(x, weight, bias, kSame, Activation::leaky_relu, 0.2); },
              testing::ThrowsMessage<Error>(HasSubstr("cuda: conv2d: launch of map1_kernel")));
  simt::set_faults({});
}

TEST_F(VendorRoute, LeavesWhatItHasNoEngineForToTheOwnKernels) {
  const auto weight_grad = [&](int groups) {
    const Tensor x = tensor({2, 6, 5, 8}, 1), d_y = tensor({2, 6, 5, 4}, 2);
    return conv2d_weight_grad(x, d_y, {4, 3, 3, 8 / groups}, Conv2dGeometry::square(1, 1, 1, groups)).to_doubles();
  };
  EXPECT_EQ(convolutions_in([&] { weight_grad(1); }), 1u);
  EXPECT_EQ(convolutions_in([&] { weight_grad(2); }), 0u) << "only an engine that gives other bits each time";
  Conv2dGeometry rounded = kSame;
  rounded.compute = Compute::bf16;
  EXPECT_EQ(convolutions_in([&] { convolve(Activation::relu, rounded); }), 0u);
}

TEST_F(VendorRoute, LeavesAddressesThatAreNotAlignedToTheOwnKernels) {
  const Floats x = scattered({2 * 6 * 5 * 8 + 1}, 1), weight = scattered({4, 3, 3, 8}, 2);
  const std::uint64_t calls = convolutions_in([&] {
    expect_agreement({Shape{2, 6, 5, 4}}, {x, weight}, 4e-6, [&](Backend& backend, const Views& v) {
      const ConstView second{
          static_cast<const std::byte*>(v.in[0].data) + size_of(v.in[0].dtype), {2, 6, 5, 8}, v.in[0].dtype};
      backend.conv2d(v.out[0], second, v.in[1], {}, kSame, Activation::identity, 0);
    });
  });
  EXPECT_EQ(calls, 0u);
}

TEST_F(VendorRoute, AnAlgorithmServesEveryBiasOfItsProduct) {
  const std::uint64_t before = simt::library_calls().products;
  expect_agreement(
      {Shape{6, 4}, Shape{6, 4}}, {scattered({6, 8}, 1), scattered({8, 4}, 2), scattered({8}, 3)}, 4e-6,
      [&](Backend& backend, const Views& v) {
        for (const std::size_t half : {0u, 1u}) {  // at an address that is a multiple of 256, then of 16
          const ConstView bias{
              static_cast<const std::byte*>(v.in[2].data) + 4 * half * size_of(v.in[2].dtype), {4}, v.in[2].dtype};
          backend.matmul(v.out[half], v.in[0], v.in[1], false, false, bias, Activation::identity, 0, Compute::f32);
        }
      });
  EXPECT_EQ(simt::library_calls().products, before + 6) << "two for each schedule";
}

TEST_F(VendorRoute, TriesTheNextEngineWhereOneIsRefused) {
  const std::vector<double> expected = convolve();
  set_route(device_, "vendor");  // forgets its plans
  simt::set_faults({.vendor_plan = 1});
  std::vector<double> found;
  EXPECT_EQ(convolutions_in([&] { found = convolve(); }), 1u);
  EXPECT_EQ(simt::faults().vendor_plan, 0u);
  EXPECT_EQ(found, expected);
}

TEST_F(VendorRoute, AFailedCallNamesItself) {
  convolve();
  simt::set_faults({.vendor_execution = 1});
  EXPECT_THAT([&] { convolve(); },
              testing::ThrowsMessage<Error>(AllOf(HasSubstr("conv2d of x [2, 6, 5, 8], weight [4, 3, 3, 8]"),
                                                  HasSubstr("cudnnBackendExecute: CUDNN_STATUS_EXECUTION_FAILED"))));
  simt::set_faults({.vendor_execution = 1});
  EXPECT_THAT(
      [&] {
        matmul(tensor({3, 5}, 1), tensor({5, 4}, 2));
      },
      testing::ThrowsMessage<Error>(AllOf(HasSubstr("cublasLtMatmul: matmul of 1 x [3, 5] [5, 4]"),
                                          HasSubstr("CUBLAS_STATUS_EXECUTION_FAILED"))));
}

TEST_F(VendorRoute, WorkspaceIsTheDevicesAndReused) {
  convolve();
  const MemoryUse before = device_.memory_use();
  convolve();
  EXPECT_EQ(device_.memory_use().system_calls, before.system_calls);
  EXPECT_EQ(device_.memory_use().in_use, before.in_use);
  device_.trim();
  const Tensor x = tensor({2, 6, 5, 8}, 1), weight = tensor({4, 3, 3, 8}, 2);
  device_.reset_high_water();
  const std::size_t in_use = device_.memory_use().in_use;
  const Tensor y = conv2d(x, weight, {}, kSame, Activation::identity, 0);
  EXPECT_GE(device_.memory_use().high_water, in_use + 4096);
}

TEST_F(VendorRoute, TF32OnlyWhereItIsAskedFor) {
  const auto distance = [](const std::vector<double>& a, const std::vector<double>& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
  };
  set_route(device_, "own");
  const std::vector<double> own = convolve();
  const std::vector<double> own_product = matmul(tensor({3, 50}, 1), tensor({50, 4}, 2)).to_doubles();
  set_route(device_, "vendor");
  EXPECT_LT(distance(convolve(), own), 1e-5);
  EXPECT_LT(distance(matmul(tensor({3, 50}, 1), tensor({50, 4}, 2)).to_doubles(), own_product), 1e-5);
  set_route(device_, "vendor-tf32");
  for (const double found : {distance(convolve(), own),
                             distance(matmul(tensor({3, 50}, 1), tensor({50, 4}, 2)).to_doubles(), own_product)}) {
    EXPECT_GT(found, 1e-5);
    EXPECT_LT(found, 1e-2);
  }
}

TEST_F(VendorRoute, ABenchmarkIsMeasuredOnceAndReadBack) {
  fs::create_directories(folder_);
  set_route(device_, "benchmark:" + table());
  EXPECT_GT(convolutions_in([&] { convolve(); }), 2u) << "measured";
  const std::string text = table_text();
  EXPECT_THAT(text, HasSubstr("conv2d x [2, 6, 5, 8] weight [4, 3, 3, 8] y [2, 6, 5, 4]"));
  EXPECT_LE(convolutions_in([&] { convolve(); }), 1u) << "known";
  set_route(device_, "benchmark:" + table());
  EXPECT_LE(convolutions_in([&] { convolve(); }), 1u) << "known from the file";
  EXPECT_EQ(table_text(), text);
}

TEST_F(VendorRoute, ATableDecidesAndIsNotAddedTo) {
  const std::string key =
      "conv2d x [2, 6, 5, 8] weight [4, 3, 3, 8] y [2, 6, 5, 4] stride 1,1 pad 1,1 dilation 1,1 "
      "groups 1 bias 1 activation 1\n";
  write_table("# times are not read again\nown 9 1 " + key);
  set_route(device_, "table:" + table());
  EXPECT_EQ(convolutions_in([&] { convolve(); }), 0u);
  write_table("vendor 1 9 " + key);
  set_route(device_, "table:" + table());
  EXPECT_EQ(convolutions_in([&] { convolve(); }), 1u);
  EXPECT_EQ(convolutions_in([&] { convolve(Activation::identity); }), 1u) << "not in the table";
  EXPECT_EQ(table_text(), "vendor 1 9 " + key);
}

TEST_F(VendorRoute, WhatCannotBeHadIsOneLineAndChangesNothing) {
  const auto refused = [&](const std::string& route, const std::string& text) {
    EXPECT_THAT([&] { set_route(device_, route); }, testing::ThrowsMessage<Error>(HasSubstr(text)));
  };
  refused("fast", "route 'fast': expected auto, own, vendor, vendor-tf32, benchmark:FILE or table:FILE");
  refused("table:" + table(), "routes.txt: a table of routes: cannot be read");
  write_table("# a comment\nvendor 1 2\n");
  refused("table:" + table(), "routes.txt:2: expected 'own' or 'vendor'");
  write_table("both 1 2 conv2d\n");
  refused("benchmark:" + table(), "routes.txt:1: expected 'own' or 'vendor'");
  simt::set_faults({.vendor_start = 1});
  refused("vendor", "cuBLAS: cublasLtCreate: CUBLAS_STATUS_NOT_INITIALIZED");
  simt::set_faults({.vendor_start = 2});
  refused("vendor", "cuDNN: cudnnCreate: CUDNN_STATUS_NOT_INITIALIZED");
  simt::set_faults({});
  EXPECT_EQ(convolutions_in([&] { convolve(); }), 1u) << "the route is the one before";
  EXPECT_THAT([&] { set_route(reference_device(), "own"); },
              testing::ThrowsMessage<Error>(HasSubstr("device 'reference' has one way to compute")));
  EXPECT_NO_THROW(set_route(reference_device(), "auto"));
}

}  // namespace
}  // namespace counterfoil::cuda_test
