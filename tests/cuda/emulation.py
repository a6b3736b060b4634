"""Whether kernels/simt emulates every call of CUDA, cuDNN and cuBLAS that the build for GPUs needs.
`emulation.py NM EMULATION OBJECT...` compares the undefined symbols of that build's objects with what the emulation's library
defines."""

import re
import subprocess
import sys

# What launch() and kernel_name() in kernels/cuda/dialect.h call under nvcc alone.
REPLACED = {"cudaLaunchKernel", "cudaFuncGetName"}


def symbols(nm, option, files):
    lines = subprocess.run([nm, "-C", option, *files], capture_output=True, text=True, check=True).stdout.splitlines()
    names = (line.split(maxsplit=2 if option == "--defined-only" else 1)[-1].split("(")[0] for line in lines if line)
    return {name for name in names if re.fullmatch(r"(cuda|cudnn|cublas|nvtx|cu)[A-Z]\w*", name)}


def main():
    nm, emulation, *objects = sys.argv[1:]
    needed = symbols(nm, "--undefined-only", objects) - REPLACED
    missing = sorted(needed - symbols(nm, "--defined-only", [emulation]))
    if missing:
        sys.exit(f"{emulation} lacks {', '.join(missing)}")
    if not {"cudaMalloc", "cublasLtMatmul", "cudnnBackendExecute"} <= needed:
        sys.exit(f"expected a build that needs CUDA, cuBLAS and cuDNN, found {sorted(needed)} in {len(objects)} objects")
    print(len(needed), "calls, all emulated")


if __name__ == "__main__":
    main()
