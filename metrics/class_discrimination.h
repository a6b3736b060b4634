#pragma once

#include <vector>

#include "nn/classifier.h"

namespace counterfoil::metrics {

/// Whether an explanation of one label leaves the others alone, where several may be true of an image: Singla et al.,
/// "Explanation by progressive exaggeration", ICLR 2020, section A.5, figure 11.
///
/// queries [N,K]: the labels of N images, i32; explanations: R times the same of their explanations, each made to
/// change one target label. Returns f64 [R,K] on the reference device: in row r, column k, the fraction of the
/// explanations of the r-th target that have flipped in label k. With R = K and the targets in the labels' order, the
/// diagonal should be near 1 and all else near 0. N, K, R >= 1.
Tensor class_discrimination(const Tensor& queries, const std::vector<Tensor>& explanations);

/// The labels i32 [N,K] of images x [N,H,W,C]: what each of K classifiers decides of them.
Tensor decided_labels(const std::vector<nn::Classifier*>& classifiers, const Tensor& x);

}  // namespace counterfoil::metrics
