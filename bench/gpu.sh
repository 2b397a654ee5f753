#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: runs the kernels' tests on it, times every kernel beside ATen's and beside its
# floor, then steps of SFT, PPO and generation, and writes bench/gpu.csv with device and commit.
#   bench/gpu.sh [MODEL]    a causal model's folder for the steps; without it they are left out
# PLUMB_GPU_TEXTS and PLUMB_GPU_PROMPTS name JSONL with a row of `text`, of `prompt`, for the steps.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly MODEL=${1:-} OUT=out/gpu PEERS=.deps/peers
readonly TEXTS=${PLUMB_GPU_TEXTS:-} PROMPTS=${PLUMB_GPU_PROMPTS:-}
# What only the harness can count.
readonly COUNTED='*MovesItsFloor*:*ReadsTheCache*:*ReadsARow*:*ReadsTheWeight*'
die() { printf 'gpu: %s\n' "$*" >&2; exit 2; }

command -v nvidia-smi >/dev/null || die "no nvidia-smi: this needs a machine with an NVIDIA GPU and its driver"
[ -z "$MODEL" ] || { [ -n "$TEXTS" ] && [ -n "$PROMPTS" ]; } || die "with a MODEL, set PLUMB_GPU_TEXTS and PLUMB_GPU_PROMPTS"
mkdir -p $OUT

./bootstrap.sh build --cuda
PATH=$PWD/.deps/venv/bin:$PATH
cmake -B build -DPLUMB_TESTS=ON -DPLUMB_CUDA=ON
cmake --build build --target plumb plumb_jobs plumb_cuda bench_kernels test_kernels_gpu

build/test_kernels_gpu --gtest_brief=1 --gtest_filter="-$COUNTED"
build/bench_kernels gpu build >$OUT/kernels.csv
if [ -n "$MODEL" ]; then
  [ -x $PEERS/bin/python ] || python3 -m venv $PEERS
  $PEERS/bin/pip install --quiet --no-deps -r bench/requirements.txt
  # torch from the first, with its CUDA libraries; transformers and peft from the second.
  PYTHONPATH=$(echo "$PWD"/.deps/venv/lib/python3*/site-packages) $PEERS/bin/python bench/gpu_steps.py "$MODEL" "$TEXTS" "$PROMPTS" $OUT >$OUT/steps.csv
else
  : >$OUT/steps.csv
fi

device=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1)
commit=$(git rev-parse --short HEAD)$([ -z "$(git status --porcelain)" ] || echo +)
{
  sed -n '1s/$/,device,commit/p' $OUT/kernels.csv
  sed 1d $OUT/kernels.csv | cat - $OUT/steps.csv | sed "s/\$/,$device,$commit/"
} >bench/gpu.csv
echo "wrote bench/gpu.csv: $(($(wc -l <bench/gpu.csv) - 1)) rows on $device"
