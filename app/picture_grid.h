#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/image_file.h"

namespace counterfoil::app {

/// A row of pictures of one size in a picture; one without pixels leaves its place empty.
struct GridRow {
  std::string title;
  std::vector<data::Image> pictures;
};

/// All rows below each other, each under its title in letters, on white; RGB. Pictures are magnified by a whole number
/// to at least 56 pixels a side and keep their order; they belong together in groups of `group`, with a gap between
/// groups. Depends on the rows alone. Throws Error when pictures differ in their extents or there are none.
data::Image render_grid(const std::vector<GridRow>& rows, std::size_t group);

}  // namespace counterfoil::app
