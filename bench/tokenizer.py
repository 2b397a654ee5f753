"""How much faster Plumb encodes than the `tokenizers` package, measured alternately in one run.

    python bench/tokenizer.py build/bench_tokenizer [TOKENIZER.json ...]

For each tokenizer: single texts by one thread and by two, encode_batch by two threads, and decoding.
A text is a chapter-sized part of the files below `--texts`; ids of both are compared by a hash. The
figure is the median over the rounds of (their time / our time). Bytes a second are ours.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("RAYON_NUM_THREADS", "2")

import tokenizers  # noqa: E402

SHARED = pathlib.Path("../shared/data")
DEFAULT_TOKENIZERS = [SHARED / "tokenizer" / name / "tokenizer.json" for name in ("smollm2", "phi-3", "falcon")]
MASK = (1 << 64) - 1


def hash_of(lists):
    value = 0xCBF29CE484222325
    for ids in lists:
        for i in ids:
            value = ((value ^ i) * 0x100000001B3) & MASK
    return value


def read_texts(folder, limit, part=8000):
    texts, size = [], 0
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.suffix not in (".txt", ".jsonl", ".py", ".md") or size > limit:
            continue
        whole = path.read_text(encoding="utf-8", errors="replace")[: limit // 2]
        texts += [whole[i:i + part] for i in range(0, len(whole), part)]
        size += len(whole.encode())
    return texts


class Ours:
    def __init__(self, program, tokenizer, texts_path):
        self.process = subprocess.Popen([program, tokenizer, texts_path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{program} does not open {tokenizer}")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        seconds, count, value = self.process.stdout.readline().split()
        return float(seconds), int(count), int(value)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def timed(work):
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def encode_by_threads(tokenizer, texts, threads):
    if threads == 1:
        return [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda text: tokenizer.encode(text, add_special_tokens=False), texts))


def measure(theirs, ours, texts, rounds):
    """Rows: name, median ratio, our MB/s."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    ids = [e.ids for e in theirs.encode_batch_fast(texts, add_special_tokens=False)]
    if ours.ask("encode 1")[2] != hash_of(ids):
        raise SystemExit("the ids differ")
    rows = [("encode, 1 thread", "encode 1", lambda: encode_by_threads(theirs, texts, 1)),
            ("encode, 2 threads", "encode 2", lambda: encode_by_threads(theirs, texts, 2)),
            ("batch, 2 threads", "batch 2", lambda: theirs.encode_batch_fast(texts)),
            ("decode", "decode 1", lambda: [theirs.decode(i) for i in ids])]
    for name, command, work in rows:
        ratios, best = [], 1e9
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if name.startswith("batch") else "false"
        for _ in range(rounds):
            their_seconds, _ = timed(work)
            our_seconds = ours.ask(command)[0]
            ratios.append(their_seconds / our_seconds)
            best = min(best, our_seconds)
        yield name, statistics.median(ratios), size / best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("tokenizers", nargs="*", default=[str(p) for p in DEFAULT_TOKENIZERS])
    parser.add_argument("--texts", default=str(SHARED))
    parser.add_argument("--bytes", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    texts = read_texts(options.texts, options.bytes)
    with tempfile.TemporaryDirectory() as folder:
        texts_path = os.path.join(folder, "texts.json")
        pathlib.Path(texts_path).write_text(json.dumps(texts))
        print(f"{len(texts)} texts, {sum(len(t.encode()) for t in texts) / 1e6:.1f} MB; "
              f"tokenizers {tokenizers.__version__}; times theirs / ours, median of {options.rounds} rounds")
        for path in options.tokenizers:
            theirs = tokenizers.Tokenizer.from_file(path)
            theirs.no_truncation()
            theirs.no_padding()
            ours = Ours(options.program, path, texts_path)
            for name, ratio, speed in measure(theirs, ours, texts, options.rounds):
                print(f"{path:50} {name:18} {ratio:6.1f}x  {speed:7.1f} MB/s", flush=True)
            ours.close()


if __name__ == "__main__":
    main()
