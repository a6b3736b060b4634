#pragma once

// cuBLASLt: the library's own header, or the emulation of the calls used.

#if defined(COUNTERFOIL_SIMT)
#include "kernels/simt/vendor/cublas_lt.h"
#else
#include <cublasLt.h>
#endif
