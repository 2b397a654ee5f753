#!/usr/bin/env bash
# Fuzzes the parsers with libFuzzer under AddressSanitizer and UndefinedBehaviorSanitizer.
#   scripts/fuzz.sh SECONDS [ENTRY...]   each entry (default: all of tests/fuzz/fuzz_*.cpp) for SECONDS,
#                                        all at the same time, from tests/fuzz/corpus/ENTRY
#   scripts/fuzz.sh keep [ENTRY...]      what hunts found since goes to tests/fuzz/corpus, minimised
# FUZZ_SEED=N repeats a hunt's draws (default: new ones each time).
# New inputs of a hunt are kept in build-fuzz/found/ENTRY; a crash ends the entry with status 1 and
# leaves its input in build-fuzz/crashes/ENTRY. Status 77: no clang with libFuzzer here.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly BUILD=build-fuzz
readonly LONGEST_INPUT=4096   # bytes: small inputs find the same bugs sooner
readonly SLOWEST_INPUT=60      # seconds on the clock: a machine may do much else meanwhile
readonly MOST_MEMORY=1024     # MiB
readonly KEPT_BYTES=2048      # of an input in the repository

die() { printf 'fuzz: %s\n' "$*" >&2; exit 2; }

all_entries() {
  local file
  for file in tests/fuzz/fuzz_*.cpp; do basename "$file" .cpp | sed 's/^fuzz_//'; done
}

# One at a time: several tests may ask for the same build.
build() {
  command -v clang++ >/dev/null || { echo "fuzz: no clang++ here; skipped (apt-get install clang)"; exit 77; }
  echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer -o /dev/null - 2>/dev/null ||
    { echo "fuzz: clang++ has no libFuzzer; skipped (apt-get install libclang-rt-14-dev)"; exit 77; }
  [ ! -d .deps/venv/bin ] || PATH=$PWD/.deps/venv/bin:$PATH
  mkdir -p $BUILD
  exec 9>$BUILD/.lock
  flock 9
  [ -e $BUILD/build.ninja ] || cmake --preset fuzz >$BUILD/configure.log 2>&1 || { cat $BUILD/configure.log; die "cannot configure"; }
  nice -n 10 cmake --build $BUILD --target "${entries[@]/#/fuzz_}" >$BUILD/build.log 2>&1 || { tail -40 $BUILD/build.log; die "cannot build"; }
  flock -u 9
}

dictionary() { [ ! -e "tests/fuzz/dictionaries/$1.txt" ] || echo "-dict=tests/fuzz/dictionaries/$1.txt"; }

# hunt SECONDS ENTRY
hunt() {
  local seconds=$1 entry=$2 log=$BUILD/$2.log
  mkdir -p "$BUILD/found/$entry" "$BUILD/crashes/$entry"
  # shellcheck disable=SC2046
  nice -n 19 "$(program "$entry")" "$BUILD/found/$entry" "tests/fuzz/corpus/$entry" \
    -seed="${FUZZ_SEED:-0}" -max_total_time="$seconds" -max_len=$LONGEST_INPUT -timeout=$SLOWEST_INPUT -rss_limit_mb=$MOST_MEMORY \
    -artifact_prefix="$BUILD/crashes/$entry/" -print_final_stats=1 $(dictionary "$entry") >"$log" 2>&1 || {
    echo "$entry: FAILED; its input is in $BUILD/crashes/$entry, its log:"
    grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse)' "$log" | tail -40
    return 1
  }
  echo "$entry: $(grep -oE 'number_of_executed_units: [0-9]+' "$log" | grep -oE '[0-9]+$') inputs in $seconds s, no failure"
}

program() { echo "$BUILD/fuzz_$1"; }

hunt_all() {
  local seconds=$1 entry pids=() failed=0 pid
  for entry in "${entries[@]}"; do
    hunt "$seconds" "$entry" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return $failed
}

# A small set of small inputs that reaches every edge that is reached now.
keep() {
  local entry=$1 kept=$BUILD/kept/$1
  rm -rf "$kept" && mkdir -p "$kept" "$BUILD/found/$entry"
  "$(program "$entry")" -set_cover_merge=1 -use_counters=0 -max_len=$KEPT_BYTES "$kept" "tests/fuzz/corpus/$entry" "$BUILD/found/$entry" \
    >"$BUILD/$entry.merge.log" 2>&1 || { tail "$BUILD/$entry.merge.log"; die "cannot merge $entry"; }
  # Hand-written inputs keep their names; found ones are named by their content.
  find "tests/fuzz/corpus/$entry" -regextype posix-extended -regex '.*/[0-9a-f]{40}' -delete
  find "tests/fuzz/corpus/$entry" -type f -exec sha1sum {} + | cut -d' ' -f1 | (cd "$kept" && xargs rm -f)
  find "$kept" -type f -exec cp {} "tests/fuzz/corpus/$entry/" \;
  echo "$entry: $(find "tests/fuzz/corpus/$entry" -type f | wc -l) inputs, $(du -sb "tests/fuzz/corpus/$entry" | cut -f1) bytes"
}

what=${1:-}
[ -n "$what" ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
shift
entries=("$@")
[ ${#entries[@]} -gt 0 ] || mapfile -t entries < <(all_entries)
for entry in "${entries[@]}"; do [ -e "tests/fuzz/fuzz_$entry.cpp" ] || die "no entry '$entry'; there are: $(all_entries | tr '\n' ' ')"; done
build
if [ "$what" = keep ]; then
  for entry in "${entries[@]}"; do keep "$entry"; done
else
  hunt_all "$what"
fi
