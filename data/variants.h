#pragma once

#include <string>
#include <vector>

#include "data/source.h"

// Changes of a source that an experiment asks for, written behind it: mnist10k+square=8+few=8/20.

namespace counterfoil::data {

/// Cuts the changes, each from a '+' on, off the end of what `--data` names, where there are any: what is left, and the
/// changes in order. A name that is no change's stays, so that folders may hold a '+'.
struct VariantSpec {
  std::string source;
  std::vector<std::string> changes;
};
VariantSpec split_variants(const std::string& spec);

/// Applies one change:
///   square[=CLASS[/GREY]]  a square in the upper left corner of all images, or of those of a class, 6 pixels wide at
///                          64x64 and in proportion otherwise (CDeepEx, section 4.1); GREY is its value, 0 to 255,
///                          which the paper does not give: 128
///   few=CLASS/COUNT        only the first COUNT images of a class stay in the training file (CDeepEx, appendix 6.2)
///   side=PIXELS            images resized to PIXELS x PIXELS, bilinearly
/// Throws Error that says what is expected and names the nearest class.
void apply_variant(Source& source, const std::string& change);

}  // namespace counterfoil::data
