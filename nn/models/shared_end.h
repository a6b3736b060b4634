#pragma once

#include <array>
#include <memory>

#include "nn/models/dcgan.h"

namespace counterfoil::nn {

/// Two DCGAN encoders, one per class, whose last layers are the same: E_0 and E_1, or D_0 and D_1, of ExplainGAN
/// (Samangouei et al. 2018, section 5.2). Names: "trunk0", "trunk1", "end", each as in DcganEncoder.
class SharedEndPair : public Module {
 public:
  /// options.first and options.last are ignored. shared_layers: 1 to dcgan_layer_count(options.image) - 1; Error
  /// otherwise.
  SharedEndPair(const Init& init, std::int64_t outputs, int shared_layers, const DcganOptions& options);
  /// The layers of one class: images [N,H,W,C] -> [N,h,w,c].
  Variable trunk(int index, const Variable& x, const Pass& pass);
  /// The layers of both: [N,h,w,c] -> [N,outputs].
  Variable end(const Variable& h, const Pass& pass) { return end_->forward(h, pass); }
  Variable forward(int index, const Variable& x, const Pass& pass) { return end(trunk(index, x, pass), pass); }

 private:
  ImageShape image_;
  std::array<std::unique_ptr<DcganEncoder>, 2> trunks_;
  std::unique_ptr<DcganEncoder> end_;
};

}  // namespace counterfoil::nn
