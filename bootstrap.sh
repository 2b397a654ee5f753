#!/usr/bin/env bash
# Sets up a machine and builds Plumb.
#   ./bootstrap.sh build   install what is missing, build Release into build/
#                          --cuda, here or with demo and test: with the GPU part, and all that it needs where
#                          it is not there: LibTorch's CUDA libraries (5 GB), NVIDIA's compiler
#   ./bootstrap.sh demo    build, then run recipes/quickstart.yaml (about 5 minutes on 2 cores)
#   ./bootstrap.sh test    build with the tests, install what they need, run them all
#   ./bootstrap.sh llama_cpp   install llama.cpp for the test of GGUF files, which is left out without it
#                              (built from source: about 15 minutes on 2 cores)
# PLUMB_TORCH=/path/to/libtorch uses a LibTorch that is already there instead of the PyPI wheel.
set -euo pipefail
cd "$(dirname "$0")"

readonly DEPS=.deps
readonly APT_BUILD=(g++ pkg-config libboost-program-options-dev libhdf5-dev libspdlog-dev libyaml-cpp-dev
  nlohmann-json3-dev libxxhash-dev libpcre2-dev libicu-dev libgloo-dev zlib1g-dev
  libcurl4-openssl-dev libssl-dev python3-venv ccache)
readonly APT_TEST=(libgtest-dev libgmock-dev libboost-context-dev clang libclang-rt-dev)
readonly TORCH=torch==2.13.0
readonly CUDA_SMALL=("nvidia-cuda-runtime==13.0.96" "nvidia-cuda-cupti==13.0.85")
# nvcc and what it compiles with, for machines without a toolkit.
readonly NVCC=("nvidia-cuda-nvcc==13.0.88" "nvidia-cuda-crt==13.0.88" "nvidia-nvvm==13.0.88"
  "nvidia-cuda-cccl==13.0.85" "nvidia-cuda-runtime==13.0.96")
readonly NCCL=nvidia-nccl-cu13==2.29.7  # of LibTorch; its header is needed to build
readonly TOOLS=("cmake==4.4.4" "ninja==1.13.2")

die() { printf '\nbootstrap: %s\n' "$*" >&2; exit 1; }

# step TITLE HINT COMMAND...: says what it does and how long it took; its output is kept and shown only
# when it fails, with the hint.
step() {
  local title=$1 hint=$2 log started=$SECONDS
  shift 2
  log=$(mktemp)
  printf '  %-52s ' "$title"
  if "$@" >"$log" 2>&1; then
    printf '%4d s\n' $((SECONDS - started))
    rm -f "$log"
  else
    printf 'failed\n'
    tail -n 40 "$log" >&2
    rm -f "$log"
    die "'$title' failed. $hint"
  fi
}

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_apt() {
  local missing
  command -v dpkg-query >/dev/null || die "needs Debian 12 or Ubuntu 24.04 (no dpkg here); elsewhere install the packages named in bootstrap.sh by hand"
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "these packages are missing and need root: $missing"
  step "apt: package lists" "Check the network and /etc/apt/sources.list." as_root apt-get update
  # shellcheck disable=SC2086
  step "apt: $(wc -w <<<"$missing") packages" "Run: apt-get install $missing" \
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

# pip_install VENV STAMP ARGUMENTS...: runs pip once for these arguments, remembered in a stamp file.
pip_install() {
  local venv=$1 stamp=$1/.stamp-$2 wanted
  shift 2
  wanted="$* $(cat "${@: -1}" 2>/dev/null || true)"
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  step "pip: $(basename "$stamp" | sed 's/.stamp-//') into $venv" "Check the network; then delete $venv and run this again." \
    "$venv/bin/pip" install --disable-pip-version-check "$@"
  printf '%s' "$wanted" >"$stamp"
}

new_venv() {
  [ -x "$1/bin/python" ] || step "python venv $1" "Install python3-venv." "$(system_python)" -m venv "$1"
}

system_python() {
  # The distribution's own Python first: others on PATH may lack ensurepip.
  if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else command -v python3 || die "python3 is missing"; fi
}

has_nvcc() {
  command -v nvcc >/dev/null 2>&1 || [ -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ]
}

has_nvidia_driver() { [ -e /proc/driver/nvidia/version ] || command -v nvidia-smi >/dev/null 2>&1; }

install_torch() {
  new_venv $DEPS/venv
  pip_install $DEPS/venv tools "${TOOLS[@]}"
  if [ -n "${PLUMB_TORCH:-}" ]; then
    [ -e "$PLUMB_TORCH/lib/libtorch_cpu.so" ] || die "PLUMB_TORCH=$PLUMB_TORCH holds no lib/libtorch_cpu.so"
    torch_dir=$PLUMB_TORCH
    return
  fi
  if [ "$cuda" = ON ] || has_nvidia_driver; then
    pip_install $DEPS/venv torch-with-cuda "$TORCH"
  else
    pip_install $DEPS/venv torch-for-cpu --no-deps "$TORCH" "${CUDA_SMALL[@]}"
  fi
  torch_dir=$(echo "$PWD"/$DEPS/venv/lib/python3*/site-packages/torch)
  if has_nvcc; then
    pip_install $DEPS/venv nccl --no-deps "$NCCL"
  elif [ "$cuda" = ON ]; then
    pip_install $DEPS/venv nvcc --no-deps "${NVCC[@]}" "$NCCL"
  fi
}

# The oracles of the tests live apart: nothing of theirs is needed to build or to run.
install_oracles() {
  new_venv $DEPS/oracle
  pip_install $DEPS/oracle oracles --no-deps -r tests/oracle/requirements.txt
}

# llama.cpp as a Python package: the judge of exported GGUF files. Its wheel is built here, with pip's own
# cmake, so it takes long and is not part of `test`.
install_llama_cpp() {
  new_venv $DEPS/llama_cpp
  pip_install $DEPS/llama_cpp llama_cpp --no-deps -r tests/oracle/requirements-llama-cpp.txt
}

build() {
  local tests=$1
  export PATH=$PWD/$DEPS/venv/bin:$PATH
  step "configure" "Read build/CMakeFiles/CMakeConfigureLog.yaml." \
    cmake -S . -B build -G Ninja -DPLUMB_TORCH="$torch_dir" -DPLUMB_TESTS="$tests" -DPLUMB_CUDA="$cuda"
  step "build" "Fix what the compiler names, or report it with this output." cmake --build build
}

command=${1:-help}
cuda=AUTO
case ${2:-} in --cuda) cuda=ON ;; "") ;; *) die "unknown option '$2'; there is --cuda" ;; esac
case $command in build | demo | test | llama_cpp) ;; *)
  sed -n '2,10s/^# \{0,1\}//p' "$0"
  [ "$command" = help ] || die "unknown command '$command'"
  exit 0 ;;
esac

echo "Plumb: setting up ($command)"
if [ "$command" = llama_cpp ]; then
  install_apt "${APT_BUILD[@]}"
  install_llama_cpp
  echo "Installed llama.cpp. Next: ctest --test-dir build -R gguf_check --output-on-failure"
  exit 0
fi
if [ "$command" = test ]; then install_apt "${APT_BUILD[@]}" "${APT_TEST[@]}"; else install_apt "${APT_BUILD[@]}"; fi
install_torch
if [ "$command" = test ]; then
  install_oracles
  build ON
  failed=0
  ctest --test-dir build --output-on-failure -LE fuzz || failed=1
  # A minute of fuzzing for each parser, all of them at the same time.
  ctest --test-dir build --output-on-failure -L fuzz -j 16 || failed=1
  exit $failed
fi
build "$([ -e build/CTestTestfile.cmake ] && echo ON || echo OFF)"
if [ "$command" = demo ]; then
  exec build/plumb run recipes/quickstart.yaml --out out/quickstart --overwrite
fi
echo "Built build/plumb. Next: build/plumb --help, or ./bootstrap.sh demo"
