#include "data/mnist10k.h"

// COUNTERFOIL_MNIST10K is the folder's path, from the build.
#define COUNTERFOIL_EMBED(symbol, file)                         \
  __asm__(                                                      \
      ".pushsection .rodata\n"                                  \
      ".global " #symbol                                        \
      "_begin\n"                                                \
      ".global " #symbol "_end\n" #symbol                       \
      "_begin:\n"                                               \
      ".incbin \"" COUNTERFOIL_MNIST10K "/" file "\"\n" #symbol \
      "_end:\n"                                                 \
      ".byte 0\n"                                               \
      ".popsection\n");                                         \
  extern "C" const unsigned char symbol##_begin[];              \
  extern "C" const unsigned char symbol##_end[]

COUNTERFOIL_EMBED(counterfoil_mnist10k_train_images, "train-images-idx3-ubyte.gz");
COUNTERFOIL_EMBED(counterfoil_mnist10k_train_labels, "train-labels-idx1-ubyte.gz");
COUNTERFOIL_EMBED(counterfoil_mnist10k_test_images, "t10k-images-idx3-ubyte.gz");
COUNTERFOIL_EMBED(counterfoil_mnist10k_test_labels, "t10k-labels-idx1-ubyte.gz");

namespace counterfoil::data {

Mnist10k mnist10k() {
  return {{counterfoil_mnist10k_train_images_begin, counterfoil_mnist10k_train_images_end},
          {counterfoil_mnist10k_train_labels_begin, counterfoil_mnist10k_train_labels_end},
          {counterfoil_mnist10k_test_images_begin, counterfoil_mnist10k_test_images_end},
          {counterfoil_mnist10k_test_labels_begin, counterfoil_mnist10k_test_labels_end}};
}

}  // namespace counterfoil::data
