#!/usr/bin/env bash
# The same work side by side with the peers: TRL 1.16, TRL 1.12.0 (the last with PPO), transformers,
# llama.cpp. Installs them apart, makes the inputs, runs ours and theirs in turn, and writes
# bench/results.csv and bench/results.svg.
#   bench/side_by_side.sh [--only JOB,...] [--rounds N] [--out FILE.csv]
# PLUMB_BENCH_DATA names hh-harmless.train.jsonl.gz (Anthropic/hh-rlhf); PLUMB_BENCH_THREADS the threads.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly DATA=${PLUMB_BENCH_DATA:-../shared/data/preference/hh-harmless.train.jsonl.gz}
readonly THREADS=${PLUMB_BENCH_THREADS:-$(nproc)}
readonly OUT=out/bench PEERS=.deps/peers TRL112=.deps/peers-trl112 LLAMA=.deps/llama_cpp

die() { printf 'side_by_side: %s\n' "$*" >&2; exit 1; }

[ -e "$DATA" ] || die "$DATA is missing: set PLUMB_BENCH_DATA to harmless-base of Anthropic/hh-rlhf"
./bootstrap.sh build
PATH=$PWD/.deps/venv/bin:$PATH cmake --build build --target bench_ceiling

install_peers() {
  [ -x $PEERS/bin/python ] || python3 -m venv $PEERS
  local stamp=$PEERS/.stamp wanted
  wanted=$(cat bench/requirements.txt)
  [ "$(cat $stamp 2>/dev/null)" = "$wanted" ] && return
  $PEERS/bin/pip install --quiet --no-deps -r bench/requirements.txt
  $PEERS/bin/pip install --quiet --no-deps --target $TRL112 trl==1.12.0
  printf '%s' "$wanted" >$stamp
}
install_peers
[ -x $LLAMA/bin/python ] || ./bootstrap.sh llama_cpp

mkdir -p $OUT
if [ ! -e $OUT/inputs/made ]; then
  $PEERS/bin/python bench/inputs.py $OUT/inputs "$DATA"
  touch $OUT/inputs/made
fi
cat >$OUT/settings.json <<EOF
{"inputs": "$OUT/inputs", "work": "$OUT", "plumb": "$PWD/build/plumb", "python": "$PWD/$PEERS/bin/python",
 "trl112": "$PWD/$TRL112", "llama_python": "$PWD/$LLAMA/bin/python", "threads": $THREADS}
EOF
exec $PEERS/bin/python bench/side_by_side.py $OUT/settings.json "$@"
