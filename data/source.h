#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace counterfoil::data {

/// Labelled images before they are split: what a training file and a test file hold of the chosen classes.
struct Source {
  std::string spec;
  Dataset train, test;                                   ///< test may be empty
  std::vector<std::int32_t> train_places, test_places;   ///< of each image in its file, ascending
  std::int64_t train_file_size = 0, test_file_size = 0;  ///< images of all classes
};

/// Opens what `--data` names:
///   mnist10k[:CLASSES]             10,000 real digits inside the program
///   fashion-mnist[:CLASSES]        from the distribution's package dataset-fashion-mnist
///   idx:DIR[:CLASSES]              a folder with *images* and *labels* files in the IDX format, gzipped or not
///   images:DIR[:CLASSES]           a folder with a folder of PNG and JPEG files per class, or with train/ and test/
///                                  that have them
/// CLASSES is a list such as 3,8 or coat,pullover: the first becomes label 0; none means all, in the source's order.
/// With coloured- in front (coloured-mnist10k:3,8) the grey images are coloured, each in red, green or blue, at random
/// and whatever its class (data/synthetic.h); an image has the same colour whichever classes are chosen. Changes may
/// stand behind, such as +square=8 (data/variants.h).
/// Throws Error naming what is wrong and the nearest legal name.
Source open_source(const std::string& spec);

/// The images of some classes of a dataset, relabelled in the order of the names; `places` receives their positions.
/// Throws Error that names the nearest class on an unknown one, and on a class named twice.
Dataset choose_classes(const Dataset& all, const std::vector<std::string>& classes, std::vector<std::int32_t>& places);

}  // namespace counterfoil::data
