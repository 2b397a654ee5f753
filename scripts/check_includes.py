#!/usr/bin/env python3
"""Checks what the compiler cannot: which folder may include which, and the rules of the files.

    check_includes.py [ROOT]

Prints a line a violation and exits with 1 if there is any.
"""

import pathlib
import re
import sys

# Folder -> folders it may include besides itself. `core` alone: core/error.h and core/log.h.
ALLOWED = {
    "core": [],
    "core/io": ["core"],
    "core/hub": ["core", "core/io"],
    "core/text": ["core", "core/io"],
    "core/data": ["core", "core/io", "core/text"],
    "core/gguf": ["core", "core/io", "core/text"],
    "core/profile": ["core", "core/io"],
    "core/ops": ["core", "core/io", "core/profile"],
    "core/model": ["core", "core/io", "core/text", "core/profile", "core/ops"],
    "core/cuda": ["core", "core/ops"],
    "core/dist": ["core", "core/io", "core/cuda"],
    "core/plan": ["core", "core/io", "core/data", "core/train"],
    "core/train": ["core", "core/io", "core/text", "core/data", "core/profile", "core/ops",
                   "core/model", "core/dist"],
}
CORE = list(ALLOWED)
ALLOWED["lora"] = CORE
ALLOWED["sft"] = CORE + ["lora"]
ALLOWED["reward"] = CORE + ["lora"]
ALLOWED["ppo"] = CORE + ["lora", "sft", "reward"]
ALLOWED["recipes"] = CORE + ["lora", "sft", "reward", "ppo"]

# These, and all that they include, must not reach LibTorch: the parsers and the `plumb` program.
WITHOUT_TORCH = ["core/io/", "core/hub/", "core/text/", "core/data/",
                 "core/gguf/", "core/plan/", "core/profile/", "core/log", "core/error",
                 "recipes/main.cpp", "recipes/cli/", "recipes/common/"]
SPDLOG_ONLY_IN = "core/log.cpp"
LONGEST_FILE = 500  # lines; generated tables say so in their first line
SOURCES = {".h", ".cpp", ".cu", ".cuh"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def folder_of(path):
    """The longest folder of ALLOWED that holds `path`, or None."""
    parts = path.split("/")[:-1]
    while parts:
        if "/".join(parts) in ALLOWED:
            return "/".join(parts)
        parts.pop()
    return None


def is_torch(included):
    return included.split("/")[0] in {"torch", "ATen", "c10", "c10d"}


def torch_reached(root, name, seen):
    """The chain of includes from `name` to a LibTorch header, or None. `seen` holds dead ends."""
    if name in seen or not (root / name).is_file():
        return None
    seen.add(name)
    for _, included in INCLUDE.findall((root / name).read_text()):
        if is_torch(included):
            return [name, included]
        chain = torch_reached(root, included, seen)
        if chain is not None:
            return [name] + chain
    return None


def check_includes(name, text):
    own = folder_of(name)
    for match in INCLUDE.finditer(text):
        quote, included = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        where = f"{name}:{line}: "
        if included == "torch/torch.h":
            yield where + "torch/torch.h costs half a minute a file: include what is used"
        if included.startswith("spdlog") and name != SPDLOG_ONLY_IN:
            yield where + f"only {SPDLOG_ONLY_IN} may include spdlog; log through core/log.h"
        if quote == '"' and own is not None:
            yield from check_direction(where, own, included)


def check_direction(where, own, included):
    if included.startswith("tests/"):
        yield where + f"{own} includes {included}: tests are not part of the program"
        return
    target = folder_of(included)
    if target is None:
        yield where + f'"{included}": includes are written from the root of the repository'
    elif target != own and target not in ALLOWED[own]:
        yield where + f"{own} must not include {target} ({included})"


def check_file(root, path):
    name = path.relative_to(root).as_posix()
    text = path.read_text()
    lines = text.count("\n")
    is_generated = "generated" in text.split("\n", 1)[0].lower()
    if lines > LONGEST_FILE and not is_generated:
        yield f"{name}: {lines} lines; a file has at most {LONGEST_FILE}"
    for match in UNFINISHED.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield f"{name}:{line}: {match.group(1)}: finish it or file an issue"
    yield from check_includes(name, text)
    if name.startswith(tuple(WITHOUT_TORCH)):
        chain = torch_reached(root, name, set())
        if chain is not None:
            yield f"{name}: links no LibTorch, but includes it: {' -> '.join(chain)}"


def sources(root):
    for top in ["core", "lora", "sft", "reward", "ppo", "recipes", "tests", "bench"]:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SOURCES and path.is_file():
                yield path


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    problems = []
    count = 0
    for path in sources(root):
        count += 1
        problems.extend(check_file(root, path))
    for problem in problems:
        print(problem)
    print(f"{count} files, {len(problems)} problems")
    sys.exit(1 if problems or count == 0 else 0)


if __name__ == "__main__":
    main()
