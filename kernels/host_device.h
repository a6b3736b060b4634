#pragma once

// Marks a function that runs on the host and inside CUDA kernels.
#if defined(__CUDACC__)
#define COUNTERFOIL_HOST_DEVICE __host__ __device__
#else
#define COUNTERFOIL_HOST_DEVICE
#endif
