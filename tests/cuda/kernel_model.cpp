#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "kernels/work.h"

// What each kernel computes and moves, for the roofline of docs/kernels.md (kernel_table.py makes the table). Prints a
// line for each kernel, or for each row of budget.txt where its sizes differ,
//   kernel | the unit that is counted | flops | bytes
// for one unit, below the title of its section. A kernel that does a primitive by itself takes the primitive's work at
// an example's shapes from kernels/work.h, and adds the flops that the kernel spends and the primitive could do
// without. The others' numbers stand here, under the rules of that header; beyond them an operation of f64 is two
// flops, an integer product of Philox one, and an array that a kernel has to read twice is counted twice.

namespace counterfoil {
namespace {

void section(const char* title) {
  fmt::print("\n# {}\n", title);
}

void kernel(std::string_view name, std::string_view unit, double flops, double bytes) {
  fmt::print("{} | {} | {:.6g} | {:.6g}\n", name, unit, flops, bytes);
}

/// A primitive's work on so many units.
void kernel(std::string_view name, std::string_view unit, const Work& work, double units, double more_flops = 0) {
  kernel(name, unit, work.flops / units + more_flops, work.bytes / units);
}

ConstView array(const Shape& shape, DType dtype = DType::f32) {
  return {nullptr, shape, dtype};
}

constexpr double kMega = 1 << 20;
const ConstView kMany = array({1 << 20}), kMatrix = array({1024, 1024}), kRow = array({1024, 1});
const ConstView kLabels = array({1024}, DType::i32);

void moving() {
  section("Fill, move, cut and join");
  kernel("fill_kernel", "element", work::fill(kMany), kMega);
  kernel("fill_vectors_kernel", "element", work::fill(kMany), kMega);
  kernel("convert_kernel", "element, u8 to f32", work::convert(kMany, array({1 << 20}, DType::u8), 0.5), kMega);
  kernel("copy_strided_kernel", "element", work::permute(kMany), kMega);
  kernel("transpose_kernel", "element", work::permute(kMany), kMega);
  kernel("gather_rows_kernel", "element of the result", work::gather_rows(kMatrix, kLabels), kMega);
  kernel("one_hot_kernel", "element of the result, 10 classes", work::one_hot(array({1024, 10}), kLabels), 10240);
  kernel("scatter_add_rows_v1_kernel", "element of x, 64 rows into 10",
         work::scatter_add_rows(array({10, 1024}), array({64, 1024}), array({64}, DType::i32)), 64 * 1024);
  kernel("scatter_count_v2_kernel", "index", 0, 12);
  kernel("scatter_scan_v2_kernel", "row, by one block", 0, 12);
  kernel("scatter_list_v2_kernel", "index", 0, 16);
  kernel("scatter_order_v2_kernel", "index, 10 to a row", 0, 20);
  kernel("scatter_sum_v2_kernel", "element of x", 1, 4);
}

void pointwise() {
  section("Pointwise");
  kernel("map1_kernel", "element, relu", work::unary(UnaryOp::relu, kMany), kMega);
  kernel("map2_kernel", "element, axpby", work::axpby(kMany), kMega);
  kernel("map3_kernel", "element, select", work::select(kMany), kMega);
  const std::vector<ChainStep> five{
      {UnaryOp::abs}, {0, BinaryOp::multiply}, {UnaryOp::relu}, {BinaryOp::add, 0}, {UnaryOp::sqrt}};
  for (const char* row : {"1,4", "2,4", "3,4", "4,4", "4,1"}) {
    const std::vector<ConstView> inputs(static_cast<std::size_t>(row[0] - '0'), kMany);
    kernel(fmt::format("pointwise_chain_kernel<{}>", row), fmt::format("element, {} in, five steps", row[0]),
           work::pointwise_chain(kMany, inputs, five), kMega);
  }
  kernel("binary_rows_kernel", "element, two arrays", work::binary(kMany, kMany, kMany), kMega);
  kernel("binary_strided_kernel", "element, two arrays", work::binary(kMany, kMany, kMany), kMega);
}

void rows() {
  section("Reductions and rows");
  const ConstView images = array({64, 28, 28, 1});
  constexpr double kPixels = 64 * 28 * 28;
  kernel("reduce_rows_kernel", "element of x, sum", work::reduce(ReduceOp::sum, kRow, kMatrix), kMega);
  kernel("reduce_columns_kernel", "element of x, sum", work::reduce(ReduceOp::sum, kRow, kMatrix), kMega);
  kernel("argmax_kernel", "element of x", work::argmax(kLabels, kMatrix), kMega);
  kernel("order_statistic_kernel", "element of x, four passes", work::order_statistic(kRow, kMatrix), kMega);
  kernel("softmax_kernel", "element", work::softmax(kMatrix), kMega);
  kernel("softmax_backward_kernel", "element", work::softmax_backward(kMatrix), kMega);
  kernel("cross_entropy_kernel", "logit of 1024", work::cross_entropy(kMatrix, kLabels), kMega);
  kernel("cross_entropy_backward_kernel", "logit of 1024", work::cross_entropy_backward(kMatrix, kLabels), kMega);
  kernel("loss_backward_kernel", "element, bce_with_logits",
         work::loss_backward(LossOp::bce_with_logits, kMany, array({1})), kMega);
  kernel("total_variation_part_kernel", "pixel of 28 x 28", work::total_variation(images), kPixels);
  kernel("total_variation_join_kernel", "partial", 1, 4);
  kernel("total_variation_backward_kernel", "pixel of 28 x 28", work::total_variation_backward(images), kPixels);
}

void products() {
  section("Products");
  const auto matmul = [](std::string_view name, std::string_view unit, int m, int n, int k) {
    const Work work = work::matmul(array({m, n}), array({m, k}), array({k, n}), false, {}, Activation::identity);
    kernel(name, unit, work, 1.0 * m * n * k);
  };
  matmul("matmul_v1_kernel", "multiply-add, 16 x 512 x 512", 16, 512, 512);
  matmul("matmul_v2_kernel<64x64>", "multiply-add, 512 x 512 x 512", 512, 512, 512);
  matmul("matmul_v2_kernel<128x32>", "multiply-add, 4096 x 32 x 4096", 4096, 32, 4096);
  matmul("matmul_v2_kernel<128x64>", "multiply-add, 4096 x 4096 x 4096", 4096, 4096, 4096);
  matmul("matmul_v2_kernel<bf16:128x64>", "multiply-add, 4096 x 4096 x 4096", 4096, 4096, 4096);
  kernel("sum_parts_kernel", "partial", 1, 4);
  const ConstView queries = array({256, 784}), base = array({4096, 784}), index = array({256}, DType::i32);
  kernel("pairwise_distance_kernel", "difference, 1024 x 1024 rows of 784",
         work::pairwise_distance(kMatrix, array({1024, 784}), array({1024, 784})), kMega * 784);
  kernel("nearest_row_part_kernel", "difference, 256 queries, 4096 rows of 784",
         work::nearest_row(array({256}), index, queries, base), 256.0 * 4096 * 784);
  kernel("nearest_row_join_kernel", "query and part", 1, 8);
  kernel("power_iteration_v1_kernel", "element of W and round, by one block", 4, 8);
  kernel("power_iteration_columns_v2_kernel", "element of W", 2, 4);
  kernel("power_iteration_rows_v2_kernel", "element of W", 2, 4);
  kernel("power_iteration_normalise_v2_kernel", "element, by one block", 3, 8);
}

void convolutions() {
  section("Convolutions 3 x 3 at stride 1");
  /// From c channels to k, forward or a gradient.
  const auto convolution = [](const std::string& direction, const char* tile, int n, int side, int c, int k) {
    const ConstView x = array({n, side, side, c}), y = array({n, side, side, k}), weight = array({k, 3, 3, c});
    const bool forward = direction == "forward", back = direction == "input_grad";
    kernel(fmt::format("conv2d_{}_kernel<{}>", direction, tile),
           fmt::format("multiply-add, {} x {} x {}, {} to {}", n, side, side, back ? k : c, back ? c : k),
           forward ? work::conv2d(y, x, weight, {}, Activation::identity) : work::conv2d_gradient(x, y, weight),
           9.0 * n * side * side * c * k);
  };
  convolution("forward", "256x16", 64, 28, 16, 16);
  convolution("forward", "128x32", 64, 28, 16, 32);
  convolution("forward", "64x64", 64, 14, 32, 64);
  convolution("forward", "128x64", 8, 32, 128, 128);
  convolution("forward", "bf16:128x64", 8, 32, 128, 128);
  convolution("input_grad", "256x16", 64, 28, 16, 16);
  convolution("input_grad", "128x32", 64, 28, 16, 32);
  convolution("input_grad", "64x64", 64, 14, 32, 64);
  convolution("input_grad", "128x64", 8, 32, 128, 128);
  convolution("input_grad", "bf16:64x64", 8, 32, 128, 128);
  convolution("weight_grad", "32x128", 64, 28, 16, 32);
  convolution("weight_grad", "64x64", 64, 14, 32, 64);
  convolution("weight_grad", "128x64", 8, 32, 128, 128);
  convolution("weight_grad", "bf16:128x64", 8, 32, 128, 128);
  const ConstView images = array({64, 28, 28, 16}), filters = array({16, 3, 3, 1});
  constexpr double kElements = 64 * 28 * 28 * 16;
  kernel("depthwise_forward_kernel", "output, 3 x 3", work::conv2d(images, images, filters, {}, Activation::identity),
         kElements);
  kernel("depthwise_input_grad_kernel", "pixel of x, 3 x 3", work::conv2d_gradient(images, images, filters), kElements);
  kernel("depthwise_weight_grad_kernel", "pixel of y, 3 x 3", work::conv2d_gradient(images, images, filters),
         kElements);
}

void pooling() {
  section("Pooling and resizing");
  const ConstView x = array({64, 28, 28, 16}), half = array({64, 14, 14, 16}), twice = array({64, 56, 56, 16});
  constexpr double kX = 64 * 28 * 28 * 16, kHalf = kX / 4, kTwice = kX * 4;
  const PoolGeometry two = PoolGeometry::square(2, 2);
  kernel("max_pool_kernel", "output, 2 x 2", work::max_pool(half, x, two), kHalf);
  kernel("avg_pool_kernel", "output, 2 x 2", work::avg_pool(half, x, two), kHalf);
  kernel("avg_pool_backward_kernel", "pixel of x, 2 x 2", work::avg_pool(half, x, two), kX);
  kernel("pool_gather_kernel", "output", work::pool_gather(half), kHalf);
  kernel("pool_scatter_link_kernel", "output", 0, 16);
  kernel("pool_scatter_sum_kernel", "pixel of x, 2 x 2", 0.25, 10);
  // Where the samples lie: for each output of forward, for each candidate of backward.
  kernel("resize_kernel", "output, bilinear doubling", work::resize(twice, x, ResizeMode::bilinear), kTwice, 9);
  kernel("resize_backward_kernel", "pixel of x, bilinear doubling",
         work::resize_backward(x, twice, ResizeMode::bilinear), kX, 164);
  const ConstView joined = array({64, 56, 56, 32});
  kernel("upsample_concat_kernel", "output, half of it doubled", work::upsample_concat(joined, x, twice), 2 * kTwice);
  kernel("upsample_concat_backward_kernel", "element of d_y, half of it doubled",
         work::upsample_concat_backward(x, twice, joined), 2 * kTwice);
}

void normalisation() {
  section("Normalisation");
  const ConstView x = array({64, 28, 28, 16}), channels = array({1, 16});
  constexpr double kX = 64 * 28 * 28 * 16;
  kernel("norm_statistics_chunk_kernel", "element of x", work::norm_statistics(channels, x), kX);
  kernel("norm_statistics_join_kernel", "chunk and channel", 10, 8);
  // The deviation again for every element.
  kernel("norm_apply_kernel", "element, relu", work::norm_apply(x, channels, channels, Activation::relu), kX, 4);
  kernel("norm_backward_chunk_kernel", "element, relu", 7, 12);
  kernel("norm_backward_join_kernel", "partial", 1, 4);
  kernel("norm_backward_fold_kernel", "total", 2, 4);
  kernel("norm_backward_apply_kernel", "element, relu", 9, 16);
}

void training() {
  section("Random numbers and optimisers");
  // Philox, and f64.
  kernel("random_uniform_kernel", "element", work::random_uniform(kMany), kMega, 21);
  kernel("random_normal_kernel", "element", work::random_normal(kMany), kMega, 84);
  kernel("dropout_kernel", "element", work::dropout(kMany), kMega, 29);
  kernel("dropout_planes_kernel", "plane", 20, 1);
  kernel("dropout_apply_planes_kernel", "element", 10, 8);
  const View parameters[] = {{nullptr, {1 << 20}, DType::f32}};
  kernel("optimiser_kernel", "parameter, Adam", work::adam(parameters), kMega);
}

void images() {
  section("Images");
  kernel("separable_filter_kernel", "element and pass, 11 taps", 22, 8);
  kernel("separable_filter_backward_kernel", "element and pass, 11 taps", 33, 8);
  const ConstView x = array({64, 28, 28, 16}), theta = array({64, 2, 3});
  constexpr double kX = 64 * 28 * 28 * 16;
  // Where the samples lie.
  kernel("affine_warp_kernel", "output", work::affine_warp(x, x, theta), kX, 31);
  kernel("affine_warp_backward_kernel", "pixel of x, 16 candidates", work::affine_warp(x, x, theta), kX, 391);
  kernel("components_start_kernel", "pixel", 1, 8);
  kernel("components_join_kernel", "pixel, without its atomics", 4, 12);
  kernel("components_number_kernel", "pixel", 0, 8);
  kernel("components_label_kernel", "pixel", 0, 12);
}

}  // namespace
}  // namespace counterfoil

int main() {
  using namespace counterfoil;
  moving();
  pointwise();
  rows();
  products();
  convolutions();
  pooling();
  normalisation();
  training();
  images();
}
