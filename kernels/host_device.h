#pragma once

// Marks a function that runs on the host and inside CUDA kernels.
#if defined(__CUDACC__)
#define COUNTERFOIL_HOST_DEVICE __host__ __device__
/// Before a template so marked that calls what it is given, which may run on one side only.
#define COUNTERFOIL_EITHER_SIDE _Pragma("nv_exec_check_disable")
#else
#define COUNTERFOIL_HOST_DEVICE
#define COUNTERFOIL_EITHER_SIDE
#endif
