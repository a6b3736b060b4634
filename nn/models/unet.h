#pragma once

#include <cstdint>
#include <vector>

#include "nn/batch_norm.h"
#include "nn/conv2d.h"
#include "nn/module_list.h"

namespace counterfoil::nn {

enum class UNetOutput : std::uint8_t {
  clip,  ///< to [0, 1]: what Charachon et al. found best for digits; here `projected_clip`, deviation 5 of
         ///< methods/syce.h
  sigmoid,
  identity,
};

struct UNetOptions {
  std::int64_t channels = 1;                        ///< of the image
  std::int64_t outputs = 1;                         ///< channels of each output
  std::vector<std::int64_t> widths = {16, 32, 64};  ///< channels per level, finest first
  int entry_blocks = 2;                             ///< blocks on the finest level, on the way down
  int residual_blocks = 3;                          ///< blocks within the residual part of each lower level
  int decoder_blocks = 2;                           ///< blocks per level on the way up
  int extra_blocks = 0;                             ///< blocks between the last concatenation and the output (SSyE)
  double dropout = 0.2;
  double epsilon = 1e-3;
  double momentum = 0.01;
  UNetOutput output = UNetOutput::clip;
  int heads = 1;                               ///< outputs of the shared trunk (SAGen, CyCSAE: 2)
  std::vector<std::int64_t> head_widths = {};  ///< 3x3 convolutions before each output's 1x1 (SAGen: 32, 16)
};

/// batch norm - ReLU - conv 3x3 - dropout. Names: "norm", "conv".
class UNetBlock : public Network {
 public:
  UNetBlock(const Init& init, std::int64_t in, std::int64_t out, const UNetOptions& options);
  Variable forward(const Variable& x, const Pass& pass) override;

 private:
  BatchNorm norm_;
  Conv2d conv_;
  double dropout_;
};

/// The generator of SyCE, CyCE and their relatives (Charachon et al., supplement E.1): x [N,H,W,channels] ->
/// [N,H,W,outputs]; 204,499 parameters as by default, as published. H and W are multiples of 2^(levels - 1).
///   entry: blocks on the finest level;
///   down l: block(w[l], w[l+1]) - max-pool 2x2, then h + blocks(h): "down.l.widen", "down.l.residual.i";
///   up l, coarsest first: block(w[l+1] or twice it, w[l]) and further blocks(w[l]), nearest x2, concatenated with
///   level l's result on the way down (the upsampled channels first): "up.l.i"; "extra.i", then per head
///   "heads.j.convs.i" and "heads.j.output" (1x1). Nothing is normalised before the output.
class UNet : public Network {
 public:
  explicit UNet(const Init& init, const UNetOptions& options = {});
  /// The first head's output.
  Variable forward(const Variable& x, const Pass& pass) override;
  /// The output of every head, in order.
  Variables forward_heads(const Variable& x, const Pass& pass);

 private:
  struct Down : Module {
    Down(const Init& init, std::int64_t in, std::int64_t out, const UNetOptions& options);
    Variable forward(const Variable& x, const Pass& pass);
    UNetBlock widen;
    ModuleList<UNetBlock> residual;
  };
  struct Head : Module {
    Head(const Init& init, std::int64_t in, const UNetOptions& options);
    Variable forward(Variable h, const Pass& pass);
    ModuleList<Conv2d> convs;
    std::unique_ptr<Conv2d> output;
    UNetOutput activation;
  };

  Variable trunk(const Variable& x, const Pass& pass);

  UNetOptions options_;
  ModuleList<UNetBlock> entry_;
  ModuleList<Down> down_;
  ModuleList<ModuleList<UNetBlock>> up_;
  ModuleList<UNetBlock> extra_;
  ModuleList<Head> heads_;
};

}  // namespace counterfoil::nn
