#!/bin/sh
# The profilers' commands for this project; --help has examples. Reports go to the current folder.
set -eu

usage() {
  cat <<'TEXT'
bench/profile.sh [--print] kernel KERNEL BENCHMARK    one kernel in Nsight Compute: KERNEL.ncu-rep
bench/profile.sh [--print] step WORK                  training steps in Nsight Systems: WORK.nsys-rep, and two summaries
bench/profile.sh [--print] run NAME COMMAND...        any command in Nsight Systems: NAME.nsys-rep

  KERNEL     a regular expression on the kernel's name without template arguments: docs/kernels.md lists them
  BENCHMARK  a regular expression on benchmarks that start it: counterfoil_bench --benchmark_list_tests=true
  WORK       a training step: counterfoil_bench_step --list
  --print    prints the commands instead of running them

  bench/profile.sh kernel '^conv2d_forward_kernel$' 'conv2d_forward/64x28x28x16->16/'
  bench/profile.sh kernel 'norm_.*' 'norm_backward_relu/batch.64, 28, 28, 16'
  bench/profile.sh step syce
  bench/profile.sh run train build/counterfoil train syce --device cuda --steps 20 ...

Nsight Compute replays each kernel with cold caches and the clock at its base, so its times are longer than the benchmark's.
What to look at first: Speed Of Light (what binds, against the bound in docs/kernels.md), Memory Workload (sectors per request),
Occupancy (against the table), Warp State (stalls), Source Counters (the lines; the library is compiled with -lineinfo).
Counters may need permission: NVreg_RestrictProfilingToAdminUsers=0, or root.

Nsight Systems draws the kernels under their operators and the phases of a step (NVTX; "backward" and "update" in each): look
for gaps between kernels, copies from pageable memory and calls that wait.

BUILD (build), NCU (ncu) and NSYS (nsys) name the build folder and the programs.
TEXT
}

complain() {
  echo "profile.sh: $1" >&2
  exit 2
}

build=${BUILD:-build} ncu=${NCU:-ncu} nsys=${NSYS:-nsys}
printing=

# Runs a command, or prints it.
run() {
  [ -n "$printing" ] || { "$@"; return; }
  for word in "$@"; do
    case "$word" in *[!A-Za-z0-9_./=:,-]* | '') printf "'%s' " "$word" ;; *) printf '%s ' "$word" ;; esac
  done
  echo
}

# need PROFILER VARIABLE [BENCHMARK]
need() {
  [ -z "$printing" ] || return 0
  command -v "$1" >/dev/null ||
    complain "no $1 here: NVIDIA's CUDA repository has Nsight Compute and Nsight Systems; $2 can name the program"
  [ $# -lt 3 ] || [ -x "$build/$3" ] ||
    complain "$build/$3 is not built: cmake --preset bench && cmake --build --preset bench"
}

systems() {
  report=$1
  shift
  run "$nsys" profile --trace=cuda,nvtx,cublas,cudnn,osrt --cuda-graph-trace=node --cuda-memory-usage=true \
    --force-overwrite=true --output="$report" "$@"
}

[ "${1:-}" != --print ] || { printing=yes; shift; }
case "${1:-}" in
  kernel)
    [ $# -eq 3 ] || complain "kernel: expected a kernel and a benchmark; --help has examples"
    need "$ncu" NCU counterfoil_bench
    name=$(echo "$2" | tr -cd 'A-Za-z0-9_')
    # The first start of each kernel is the warm-up.
    set -- --set full --import-source yes --kernel-name "regex:$2" --launch-skip 1 --launch-count 3 --kill yes \
      --force-overwrite --export "$name" "$build/counterfoil_bench" --device=cuda "--benchmark_filter=$3"
    run "$ncu" "$@"
    ;;
  step)
    [ $# -eq 2 ] || complain "step: expected the name of a step; $build/counterfoil_bench_step --list has them"
    need "$nsys" NSYS counterfoil_bench_step
    systems "$2" "$build/counterfoil_bench_step" --work "$2" --device cuda --warm-up 5 --steps 10
    run "$nsys" stats --report cuda_gpu_kern_sum,nvtx_sum "$2.nsys-rep"
    ;;
  run)
    [ $# -ge 3 ] || complain "run: expected a name and a command; --help has examples"
    need "$nsys" NSYS
    shift
    systems "$@"
    ;;
  --help | -h)
    usage
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac
