#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/vendor/convolution_graph.h"
#include "kernels/error.h"
#include "kernels/listening_device.h"
#include "nn/models/cdeepex_classifier.h"
#include "nn/models/dcgan.h"
#include "nn/models/ganmex_classifier.h"
#include "nn/models/lenet.h"
#include "nn/models/pe_resnet.h"
#include "nn/models/pixelda.h"
#include "nn/models/stargan.h"
#include "nn/models/syce_discriminator.h"
#include "nn/models/unet.h"
#include "nn/models/vae_embedding.h"

// The installed cuDNN itself, without a GPU: does it have an engine that keeps our promises for every convolution of
// the networks? And what the library says that opens it where there is no driver.

namespace counterfoil::cuda_test {
namespace {

using cuda::Convolution;
using cuda::ConvolutionKind;

/// As CUDA and cuDNN report them; smClockRateKHz and the like are published figures.
constexpr std::string_view kA100 = R"({"deviceName":"NVIDIA A100-SXM4-40GB","deviceVer":800,"driverVer":13000,
  "cudaDeviceId":0,"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,"multiProcessorCount":108,"warpSize":32,
  "maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"maxThreadsPerBlock":1024,
  "maxThreadsPerSM":2048,"maxCtasPerSM":32,"regsPerBlock":65536,"maxRegistersPerSM":65536,
  "maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":166912,"reservedSharedMemoryPerBlock":1024,
  "totalGlobalMem":42949672960,"l2CacheSize":41943040,"smClockRateKHz":1410000,"memClockRateKHz":1215000})";
constexpr std::string_view kH100 = R"({"deviceName":"NVIDIA H100 80GB HBM3","deviceVer":900,"driverVer":13000,
  "cudaDeviceId":0,"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,"multiProcessorCount":132,"warpSize":32,
  "maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"maxThreadsPerBlock":1024,
  "maxThreadsPerSM":2048,"maxCtasPerSM":32,"regsPerBlock":65536,"maxRegistersPerSM":65536,
  "maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":232448,"reservedSharedMemoryPerBlock":1024,
  "totalGlobalMem":85899345920,"l2CacheSize":52428800,"smClockRateKHz":1980000,"memClockRateKHz":2619000})";

/// Stride and padding are not among what a listener hears; the extents tell them.
Conv2dGeometry geometry_of(const Shape& x, const Shape& weight, const Shape& y) {
  for (const int stride : {1, 2}) {
    for (const int pad : {0, 1, 2, 3}) {
      const auto extent = [&](int axis) { return (x[axis] + 2 * pad - weight[axis]) / stride + 1; };
      if (extent(1) == y[1] && extent(2) == y[2]) return Conv2dGeometry::square(stride, pad);
    }
  }
  fail("no geometry for {} {} {}", x.to_string(), weight.to_string(), y.to_string());
}

/// Every convolution that it hears of, in all three directions, at another batch.
class Convolutions final : public CallListener {
 public:
  std::size_t begin(const Call& call) override {
    const bool forward = call.name == "conv2d", transposed = call.name == "conv2d_input_grad";
    if (!forward && !transposed) return 0;
    const Shape x = (forward ? call.inputs[0] : call.outputs[0]).shape.with(0, batch);
    const Shape y = (forward ? call.outputs[0] : call.inputs[0]).shape.with(0, batch);
    const Shape& weight = call.inputs[1].shape;
    const Conv2dGeometry geometry = geometry_of(x, weight, y);
    for (const auto kind : {ConvolutionKind::forward, ConvolutionKind::input_grad, ConvolutionKind::weight_grad}) {
      Convolution convolution = Convolution::make(kind, x, weight, y, geometry);
      if (kind == ConvolutionKind::forward && forward) {
        convolution.bias = call.inputs[2].data != nullptr;
        convolution.relu = convolution.bias && call.variant == "relu";
      }
      all.insert(convolution);
    }
    return 0;
  }
  void end(std::size_t) override {}
  std::size_t begin_span(std::string_view) override { return 0; }
  void end_span(std::size_t) noexcept override {}

  std::int64_t batch = 64;
  std::set<Convolution> all;
};

/// Runs networks forward on one image, and keeps their convolutions.
std::set<Convolution> convolutions_of(std::int64_t batch,
                                      const std::function<void(const nn::Init&, Device&)>& networks) {
  static std::vector<std::unique_ptr<ListeningDevice>> devices;  // outlive the arrays on them
  Convolutions convolutions;
  convolutions.batch = batch;
  Device& device = *devices.emplace_back(std::make_unique<ListeningDevice>(cpu_device(), convolutions));
  Random weights(1, "weights");
  networks(nn::Init{weights, device}, device);
  return convolutions.all;
}

Variable image(const nn::ImageShape& shape, Device& device) {
  return Variable(Tensor::full({1, shape.height, shape.width, shape.channels}, 0.5, DType::f32, device));
}

struct Networks {
  const char* name;
  std::int64_t batch;
  std::function<void(const nn::Init&, Device&)> run;
};

constexpr nn::ImageShape kDigit = {28, 28, 1};
const nn::Pass kPass = nn::Pass::eval();

const Networks kNetworks[] = {
    {"classifier", 128,
     [](const nn::Init& init, Device& device) {
       nn::LeNet(init, {.image = kDigit, .outputs = 2}).forward(image(kDigit, device), kPass);
     }},
    {"SyCE_CyCE", 64,
     [](const nn::Init& init, Device& device) {
       const Variable x = image(kDigit, device);
       nn::UNet(init).forward(x, kPass);
       nn::UNet(init, {.outputs = 2, .extra_blocks = 1, .heads = 2, .head_widths = {32, 16}}).forward_heads(x, kPass);
       nn::SyceDiscriminator(init, {.image = kDigit}).forward(x, kPass);
       nn::VaeEmbedding embedding(init, {.image = kDigit});
       embedding.decode(embedding.encode(x, kPass).mean, kPass);
     }},
    {"ExplainGAN", 64,
     [](const nn::Init& init, Device& device) {
       nn::DcganDiscriminator(init, {.image = kDigit}).forward(image(kDigit, device), kPass);
       nn::DcganEncoder encoder(init, 128, {.image = kDigit});
       nn::DcganGenerator generator(init, 128, {.image = {28, 28, 3}, .output = Activation::sigmoid});
       generator.forward(encoder.forward(image(kDigit, device), kPass), kPass);
     }},
    {"GANMEX", 16,
     [](const nn::Init& init, Device& device) {
       const Tensor label = Tensor::from(std::vector<std::int32_t>{3}, {1}, device);
       const Variable x = image(kDigit, device);
       nn::StarganGenerator(init, {.image = kDigit}).forward(x, label, kPass);
       nn::StarganCritic(init, {.image = kDigit}).forward(x, kPass);
       nn::GanmexClassifier(init, {.image = kDigit}).forward(x, kPass);
     }},
    {"PixelDA", 32,
     [](const nn::Init& init, Device& device) {
       const nn::PixeldaOptions options{.image = kDigit};
       const Tensor z = Tensor::full({1, options.code}, 0.5, DType::f32, device);
       nn::PixeldaGenerator(init, options).forward(image(kDigit, device), Variable(z), kPass);
       nn::PixeldaDiscriminator(init, options).forward(image(kDigit, device), kPass);
     }},
    {"CDeepEx", 64,
     [](const nn::Init& init, Device& device) {
       const nn::DcganOptions options{.image = {64, 64, 1}, .width = 64};
       const Tensor z = Tensor::full({1, 120}, 0.5, DType::f32, device);
       nn::DcganGenerator(init, 120, options).forward(Variable(z), kPass);
       const nn::DcganOptions critic{.image = options.image, .width = 64, .norm = false};
       nn::DcganDiscriminator(init, critic).forward(image(options.image, device), kPass);
       nn::CdeepexClassifier(init).forward(image(options.image, device), kPass);
     }},
    {"ProgressiveExaggeration", 32,
     [](const nn::Init& init, Device& device) {
       const Tensor label = Tensor::from(std::vector<std::int32_t>{3}, {1}, device);
       const nn::PeResnetOptions options{.image = {64, 64, 3}, .widths = {64, 128, 256, 512, 1024}};
       const Variable x = image(options.image, device);
       nn::PeEncoder encoder(init, options);
       nn::PeGenerator(init, options).forward(encoder.forward(x, label, kPass), label, kPass);
       nn::PeDiscriminator(init, options).forward(x, label, kPass);
     }},
};

/// The library of the vendor's route, linked with cuDNN and cuBLAS themselves.
class VendorLibrary : public testing::TestWithParam<Networks> {
 protected:
  void SetUp() override {
    const auto file = std::filesystem::path(COUNTERFOIL_BINARY_DIR) / "libcounterfoil_cuda_vendor.so";
    if (!std::filesystem::exists(file)) GTEST_SKIP() << "cuDNN was not found when this was built";
    library_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << dlerror();
  }
  template <typename Function>
  Function* find(const char* name) {
    return reinterpret_cast<Function*>(dlsym(library_, name));
  }

  void* library_ = nullptr;
};

TEST_P(VendorLibrary, HasAnEngineForEveryConvolutionOnBothGpus) {
  auto* const find_engine =
      find<std::int64_t(const Convolution&, std::string_view, bool)>("counterfoil_find_cudnn_engine");
  ASSERT_NE(find_engine, nullptr);
  const std::set<Convolution> convolutions = convolutions_of(GetParam().batch, GetParam().run);
  EXPECT_GE(convolutions.size(), 6u);
  for (const Convolution& convolution : convolutions) {
    for (const auto& [name, properties] : {std::pair{"A100", kA100}, {"H100", kH100}}) {
      const std::int64_t engine = find_engine(convolution, properties, false);
      EXPECT_GE(engine, 0) << name << ": " << convolution.to_string();
      if (std::getenv("COUNTERFOIL_ENGINES") != nullptr) {
        fmt::print("{} engine {:3} bias {:d} relu {:d} {}\n", name, engine, convolution.bias, convolution.relu,
                   convolution.to_string());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, VendorLibrary, testing::ValuesIn(kNetworks),
                         [](const auto& one) { return std::string(one.param.name); });

using VendorLibraryAlone = VendorLibrary;

TEST_P(VendorLibraryAlone, SaysWhichLibraryFindsNoGpu) {
  auto* const open = find<void*(Device&, void*, bool)>("counterfoil_open_products");
  ASSERT_NE(open, nullptr);
  try {
    open(cpu_device(), nullptr, false);
    GTEST_SKIP() << "this machine has a GPU";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AnyOf(testing::StartsWith("cuBLAS: cublasLtCreate: CUBLAS_STATUS_"),
                                             testing::StartsWith("cuDNN: cudnnCreate: CUDNN_STATUS_")));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Start, VendorLibraryAlone, testing::Values(kNetworks[0]),
                         [](const auto&) { return std::string("WithoutADriver"); });

}  // namespace
}  // namespace counterfoil::cuda_test
