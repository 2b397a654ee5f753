#!/usr/bin/env python3
"""Ten mutations of real kernels, one at a time, and the test that catches each.

    tests/simt/mutations.py BUILD [NAME...]

BUILD holds a built test_kernels (docs/kernels.md). A mutated copy of the file is compiled and linked in a folder
of its own; the tree and the build stay as they are. Prints a line a mutation, ends with 1 where one survives."""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPS = "core/ops/"

# name: file, what stands there, what stands there instead, files to compile, tests that run
MUTATIONS = {
    "a removed barrier before a sum over warps is read":
        ("cuda/reduce.cuh", "  __syncthreads();\n", "", ["rms_norm"], "RmsNorm*"),
    "a removed barrier after a tile was used":
        ("low_rank.cu", "    __syncthreads();\n  }\n", "  }\n", ["low_rank"], "LowRank*"),
    "a removed barrier between clearing and filling a histogram":
        ("cuda/radix_select.cuh", "    __syncthreads();\n    sweep(", "    sweep(", ["sampling"],
         "SamplingKernelRows*"),
    "an off-by-one bound of rows":
        ("rms_norm.cu", "if (row >= norm.rows)", "if (row > norm.rows)", ["rms_norm"], "RmsNorm*"),
    "an off-by-one bound of a row's packs":
        ("cuda/head_rows.cuh", "at < whole;", "at <= whole;", ["token_loss"], "HeadKernel*"),
    "a wrong mask of lanes":
        ("cuda/reduce.cuh", "value += __shfl_xor_sync(kAllLanes, value", "value += __shfl_xor_sync(0xFFFFu, value",
         ["rms_norm"], "RmsNorm*"),
    "a causal mask that hides the query's own key":
        ("cuda/attention_tile.cuh", "key <= query + shift", "key < query + shift", ["varlen_attention"],
         "VarlenKernelRows*:VarlenKernel/0.HeadsAndGroups"),
    "a swapped stride of queries and heads":
        ("paged_attention.cu", "query * op.q_stride + head * head_dim", "head * op.q_stride + query * head_dim",
         ["paged_attention"], "DecodeKernel/0*"),
    "one scratch array for two rows in turn":
        ("rms_norm.cu", "(row - begin) % 2 * kMostWarps", "0", ["rms_norm"], "RmsNorm*"),
    "swapped halves of a byte":
        ("cuda/nf4.cuh", "table[bytes.values[i / 2] >> 4] * scale", "table[bytes.values[i / 2] & 15] * scale",
         ["nf4", "quantised_gemv"], "Nf4Kernel*:GemvKernel*"),
}


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))}\n{done.stderr}")


def mutated_copy(work, file, old, new):
    text = (ROOT / OPS / file).read_text()
    if old not in text:
        sys.exit(f"{OPS}{file} no longer holds {old!r}: write the mutation anew")
    copy = work / OPS / file
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text.replace(old, new, 1))
    return copy


def compiled(build, work, unit):
    """The object of a kernel file, with the copy before the tree in the order of includes."""
    commands = json.loads((build / "compile_commands.json").read_text())
    [entry] = [c for c in commands if c["file"].endswith(f"{OPS}{unit}.cu") and "test_kernels_kernels" in c["command"]]
    words = shlex.split(entry["command"])
    first = next(i for i, word in enumerate(words) if word.endswith(("++", "c++")))  # after any cache
    target = work / f"{unit}.cu.o"
    words = [words[first], f"-I{work}", *words[first + 1:]]
    words[words.index("-o") + 1] = str(target)
    copy = work / OPS / f"{unit}.cu"
    words[words.index("-c") + 1] = str(copy if copy.exists() else entry["file"])
    run(words, entry["directory"])
    return target


def linked(build, work, objects):
    library = next(build.rglob("libtest_kernels_kernels.a"))
    copy = work / library.name
    copy.write_bytes(library.read_bytes())
    run(["ar", "r", copy, *objects], work)  # by name: they take the place of the sound ones
    commands = subprocess.run(["ninja", "-t", "commands", "-s", "test_kernels"], cwd=build, capture_output=True,
                              text=True, check=True).stdout.strip().splitlines()[-1]
    link = next(part for part in commands.split("&&") if "-o test_kernels" in part)
    program = work / "test_kernels"
    link = link.replace(str(library.relative_to(build)), str(copy)).replace("-o test_kernels", f"-o {program}")
    run(shlex.split(link), build)
    return program


def failed_tests(program, tests):
    try:
        done = subprocess.run([program, f"--gtest_filter={tests}"], cwd=ROOT, capture_output=True, text=True,
                              timeout=300)
    except subprocess.TimeoutExpired:
        return ["no end after 300 s"]
    names = [line.split()[3].rstrip(",") for line in done.stdout.splitlines()
             if line.startswith("[  FAILED  ]") and "." in line]
    return list(dict.fromkeys(names)) or (["the program ended early"] if done.returncode else [])


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    survived = 0
    for name in sys.argv[2:] or MUTATIONS:
        file, old, new, units, tests = MUTATIONS[name]
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder)
            mutated_copy(work, file, old, new)
            failed = failed_tests(linked(build, work, [compiled(build, work, unit) for unit in units]), tests)
        survived += not failed
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        print(f"| {name} | `{file}` | {'`' + failed[0] + '`' + more if failed else 'SURVIVED'} |", flush=True)
    sys.exit(1 if survived else 0)


main()
