#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/image_file.h"

namespace counterfoil::app {

/// One page about one explainer, without files beside it and without network: images are inline PNGs, curves inline
/// SVG.
struct Report {
  /// A picture with a caption below it, such as "f = 0.98".
  struct Picture {
    data::Image image;
    std::string caption;
  };
  /// One query: its pictures in the order of `columns`; a picture without pixels leaves its cell empty.
  struct Row {
    std::string title;
    std::vector<Picture> pictures;
  };
  struct Figure {
    std::string name, value, meaning;
  };
  struct Curve {
    std::string name;
    std::vector<std::pair<double, double>> points;  ///< step, value
  };

  std::string title, introduction;
  std::vector<std::string> columns;
  std::vector<Row> rows;
  std::vector<Figure> figures;
  std::vector<Curve> curves;
  std::string provenance;  ///< config, seed, build: shown as it stands at the end
};

/// The page as UTF-8 HTML. Depends on the report alone; every text is escaped.
std::string render_html(const Report& report);

/// A non-negative map [H,W] as an image: white at 0 to deep red at the largest value (an all-zero map is white).
data::Image heat_image(const std::vector<float>& map, std::int64_t height, std::int64_t width);
/// A map with signs [H,W]: grey at 0, to deep blue at the largest magnitude where positive and to deep red where
/// negative (an all-zero map is grey).
data::Image signed_image(const std::vector<float>& map, std::int64_t height, std::int64_t width);
/// Values in [0,1], [H,W,C], as 8 bits, rounded; values outside are clamped.
data::Image grey_or_colour_image(const std::vector<float>& values, std::int64_t height, std::int64_t width,
                                 std::int64_t channels);

}  // namespace counterfoil::app
