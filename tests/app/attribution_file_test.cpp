#include "app/attribution_file.h"

#include <array>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "kernels/error.h"
#include "tensor/ops.h"
#include "tensor/random.h"

// Files of attributions come from anywhere.

namespace counterfoil::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const Shape kImages{2, 4, 3, 1};

class AttributionFiles : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  static Tensor pixels(const Shape& shape) { return Random(1, "pixels").uniform(shape, 0, 1, reference_device()); }
  static TensorFile some_contents() {
    TensorFile contents;
    contents.tensors = {{"input", pixels(kImages)},
                        {"attribution", pixels(kImages)},
                        {"classes", Tensor::full({2}, 1, DType::i32, reference_device())},
                        {"against", Tensor::full({2}, 0, DType::i32, reference_device())},
                        {"baselines", pixels({2, 3, 4, 3, 1})}};
    return contents;
  }
  AttributionFile read(const TensorFile& contents) const {
    write_safetensors(file_, contents);
    return read_attributions(file_, reference_device());
  }
  /// What reading throws, without the file's name, which comes first.
  template <typename Read>
  std::string complaint(const TensorFile& contents, Read&& read) const {
    fs::remove(file_);
    write_safetensors(file_, contents);
    try {
      read();
    } catch (const Error& error) {
      const std::string message = error.what(), name = file_.string() + ": ";
      EXPECT_TRUE(message.starts_with(name)) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      return message.substr(std::min(name.size(), message.size()));
    }
    return "(no error)";
  }
  std::string complaint(const TensorFile& contents) const {
    return complaint(contents, [&] { (void)read_attributions(file_, reference_device()); });
  }
  std::string complaint_of_annotations(const Tensor& annotations) const {
    TensorFile contents;
    contents.tensors["annotations"] = annotations;
    return complaint(contents, [&] { (void)read_annotations(file_, reference_device()); });
  }
  static Tensor with(const Tensor& tensor, double value) {
    std::vector<double> values = tensor.to_doubles();
    values[5] = value;
    return Tensor::from(values, tensor.shape(), tensor.device()).to(tensor.dtype());
  }

  const fs::path folder_ = fs::temp_directory_path() / ("counterfoil_attribution_file_" + std::to_string(::getpid()));
  const fs::path file_ = folder_ / "x.safetensors";
};

TEST_F(AttributionFiles, ImagesAreBetweenZeroAndOne) {
  for (const char* name : {"input", "baselines"}) {
    TensorFile contents = some_contents();
    Tensor& tensor = contents.tensors.at(name);
    tensor = with(tensor, 162.5);
    EXPECT_EQ(complaint(contents), std::string("'") + name + "' holds 162.5, expected 0 to 1");
    tensor = with(tensor, -0.5);
    EXPECT_EQ(complaint(contents), std::string("'") + name + "' holds -0.5, expected 0 to 1");
    tensor = with(tensor, 1.000001);
    EXPECT_EQ(complaint(contents), "(no error)");
  }
  TensorFile contents = some_contents();
  contents.tensors["attribution"] = with(contents.at("attribution"), -1e30);
  EXPECT_EQ(complaint(contents), "(no error)");
  contents.tensors["attribution"] = with(contents.at("attribution"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(complaint(contents), "'attribution' holds numbers that are not finite");
}

TEST_F(AttributionFiles, WhatTheyAreCalledIsOneLine) {
  TensorFile contents = some_contents();
  EXPECT_EQ(read(contents).label, "x");
  contents.metadata = {{"method", "deeplift"}, {"baseline", "runs/ganmex/"}};
  EXPECT_EQ(read(contents).label, "deeplift, ganmex");
  contents.metadata = {{"method", "two\nlines\x1b[31m"}};
  EXPECT_EQ(read(contents).label, "two\\x0alines\\x1b[31m");
}

TEST_F(AttributionFiles, AnnotationsAreMapsOfAnyDType) {
  const Shape map{2, 4, 3, 1};
  for (const DType dtype : {DType::u8, DType::i32, DType::f32, DType::f64})
    EXPECT_EQ(complaint_of_annotations(Tensor::full(map, 1, dtype, reference_device())), "(no error)");
  EXPECT_EQ(complaint_of_annotations(with(pixels(map), std::numeric_limits<double>::quiet_NaN())),
            "'annotations' holds numbers that are not finite");
  EXPECT_THAT(complaint_of_annotations(pixels({2, 4, 3, 2})), HasSubstr("expected [N,H,W,1]"));
  EXPECT_THAT(complaint_of_annotations(pixels({24})), HasSubstr("expected [N,H,W,1]"));
  TensorFile contents = some_contents();
  EXPECT_EQ(complaint(contents, [&] { (void)read_annotations(file_, reference_device()); }),
            "it holds 5 tensors, none of them called 'annotations'");
}

// Any of the names with any dtype, shape and values: what reads is what the header of this floor promises, and what
// does not is one line with the file's name.
TEST_F(AttributionFiles, MadeUpContentsReadOrThrow) {
  std::mt19937_64 engine(1);
  const auto pick = [&](std::size_t bound) { return static_cast<std::size_t>(engine() % bound); };
  const std::array<DType, 5> dtypes = {DType::f32, DType::f32, DType::f64, DType::i32, DType::u8};
  const std::array<double, 6> values = {0, 1, -1, 2, 1e30, std::numeric_limits<double>::quiet_NaN()};
  const auto any = [&](const Shape& shape, DType dtype) {
    std::vector<std::int64_t> extents(shape.extents().begin(), shape.extents().end());
    if (pick(12) == 0) extents[pick(extents.size())] = static_cast<std::int64_t>(pick(3));
    if (pick(20) == 0) extents.pop_back();
    if (pick(12) == 0) dtype = dtypes[pick(dtypes.size())];
    const double value = values[pick(dtype == DType::f32 && pick(8) == 0 ? 6 : 2)];
    return Tensor::full(Shape(extents), value, dtype, reference_device());
  };
  int read = 0;
  for (int round = 0; round < 1500; ++round) {
    TensorFile contents;
    const auto maybe = [&](const char* name, const Shape& shape, DType dtype, std::size_t seldom) {
      if (pick(seldom) > 0) contents.tensors[name] = any(shape, dtype);
    };
    const bool explained = pick(3) == 0;
    maybe("input", kImages, DType::f32, 12);
    maybe(explained ? "map" : "attribution", kImages, DType::f32, 12);
    maybe("classes", {2}, DType::i32, 2);
    maybe(explained ? "target" : "against", {2}, DType::i32, 2);
    maybe(explained ? "counterfactual" : "baseline", kImages, DType::f32, 2);
    maybe("baselines", {2, 3, 4, 3, 1}, DType::f32, 2);
    const std::string said = complaint(contents, [&] {
      const AttributionFile file = read_attributions(file_, reference_device());
      const Shape& shape = file.input.shape();
      ASSERT_EQ(shape.rank(), 4);
      EXPECT_TRUE(all_finite(file.attribution));
      EXPECT_TRUE(file.attribution.shape() == shape ||
                  file.attribution.shape() == (Shape{shape[0], shape[1], shape[2], 1}));
      for (const Tensor& classes : {file.question.classes, file.question.against}) {
        if (classes.defined()) {
          EXPECT_EQ(classes.dtype(), DType::i32);
          EXPECT_EQ(classes.shape(), Shape{shape[0]});
        }
      }
      if (file.baselines.defined()) {
        EXPECT_EQ(file.baseline().shape(), shape);
      }
      ++read;
    });
    EXPECT_FALSE(said.empty());
  }
  EXPECT_GT(read, 300);
  EXPECT_LT(read, 1200);
}

}  // namespace
}  // namespace counterfoil::app
