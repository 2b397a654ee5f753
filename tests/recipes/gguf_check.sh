#!/usr/bin/env bash
# Runs gguf_check.py with the oracles that ./bootstrap.sh test installs, and with llama.cpp where
# ./bootstrap.sh llama_cpp has put it.
set -euo pipefail
python=.deps/oracle/bin/python
llama=.deps/llama_cpp/bin/python
[ -x $python ] || { echo "no $python: ./bootstrap.sh test installs it"; exit 77; }
[ -x $llama ] || llama=
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
exec $python tests/recipes/gguf_check.py "$1" ${llama:+"$llama"}
