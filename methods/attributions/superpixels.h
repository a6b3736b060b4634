#pragma once

#include <cstdint>

#include "tensor/tensor.h"

// Superpixels: images cut into connected segments of like pixels, for methods that switch segments on and off.

namespace counterfoil::methods {

/// SLIC of R. Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods" (2012): k-means of the
/// pixels [N,H,W,C] in [0,1], each centre looking no farther than its neighbourhood, with
///
///   D^2 = |colours' difference|^2 + (compactness / S)^2 |places' difference|^2,   S = sqrt(H W / segments)
///
/// from centres on a grid, ten rounds. Colours are L*a*b* (sRGB, D65) of three channels and L* of one, so that a grey
/// image has the same segments in either form; of another number of channels the values times 100. Greater compactness
/// makes squarer segments. Returns labels i32 [N,H,W] on the device of the images: of each image 0 .. n - 1 in the
/// order of the segments' first pixels, n near `segments`, more in noise. Every segment is connected (4 neighbours) and
/// has at least S^2 / 4 pixels: smaller pieces join the neighbour nearest in colour, where the paper's release takes
/// the one met last. An image's labels depend on that image alone. Throws Error on images that are not [N,H,W,C] with
/// at least a pixel and a channel, on segments < 1, on compactness that is not > 0, and on a value that is not finite.
Tensor slic_superpixels(const Tensor& images, std::int64_t segments, double compactness = 10);

/// Rectangles, as square as they can be, in a grid of about `segments` cells: labels as above, the same for each image.
Tensor grid_superpixels(const Tensor& images, std::int64_t segments);

}  // namespace counterfoil::methods
