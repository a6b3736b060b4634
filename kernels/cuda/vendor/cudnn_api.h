#pragma once

// cuDNN's graph API: the library's own header, or the emulation of the calls used.

#if defined(COUNTERFOIL_SIMT)
#include "kernels/simt/vendor/cudnn.h"
#else
#include <cudnn_graph.h>
#endif
