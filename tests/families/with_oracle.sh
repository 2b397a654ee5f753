#!/usr/bin/env bash
# Runs a script with the oracles that ./bootstrap.sh test installs.
set -euo pipefail
python=.deps/oracle/bin/python
[ -x $python ] || { echo "no $python: ./bootstrap.sh test installs it"; exit 77; }
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
exec $python "$@"
