#!/usr/bin/env bash
# Makes bench/kernels.csv: every kernel at some shapes, run by the harness on this CPU (docs/kernels.md).
# Registers, spills and occupancy come from nvcc where the build has one; else they stay as the table
# has them. Ends with 1 where a kernel misses a gate without a reason (bench/kernels/gates.cpp).
#   bench/kernels.sh [FILE.csv]
set -euo pipefail
cd "$(dirname "$0")/.."

readonly OUT=${1:-bench/kernels.csv} REPORTS=build/core/cuda/plugin
die() { printf 'kernels: %s\n' "$*" >&2; exit 2; }

[ -e build/CTestTestfile.cmake ] || die "build/ has no tests: run ./bootstrap.sh test, or configure it with -DPLUMB_TESTS=ON"
PATH=$PWD/.deps/venv/bin:$PATH
cmake --build build --target bench_kernels
if cmake --build build --target help | grep -q '^plumb_cuda:'; then
  cmake --build build --target plumb_cuda
  exec build/bench_kernels write "$OUT" $REPORTS
fi
exec build/bench_kernels write "$OUT"
