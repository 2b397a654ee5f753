"""How cost grows, one size at a time, in SFT with LoRA. SETTINGS.json is what side_by_side.sh leaves in
out/bench.

    scaling.py SETTINGS.json [--only AXIS,...] [--out scaling.csv]

Writes a line a point: what one update takes, its arithmetic, the rate reached, peak memory; `slope` is
d log(seconds) / d log(arithmetic) from the point before: above 1, time grows faster than the work."""
import argparse
import csv
import json
import math
import pathlib
import random
import shutil
import string
import subprocess

from ceiling import flops_of
from jobs import Setting, common_keys, with_tokens
from measure import Failed
from shapes import SHAPES
from side_by_side import commit, cpu, read_setting

UPDATES = 6
COLUMNS = ["axis", "value", "tokens_per_update", "seconds_per_update", "tokens_per_second",
           "gflop_per_update", "gflop_per_second", "slope", "memory_mib", "threads", "commit", "cpu"]
TINY = SHAPES["tiny"]
# Widths of a Llama with heads of 64, about so many parameters besides the embedding of 4096.
SIZES = {"1M": dict(hidden_size=128, intermediate_size=352, num_hidden_layers=4),
         "5M": {},
         "30M": dict(hidden_size=512, intermediate_size=1408, num_hidden_layers=9),
         "125M": dict(hidden_size=768, intermediate_size=2048, num_hidden_layers=17),
         "500M": dict(hidden_size=1280, intermediate_size=3584, num_hidden_layers=25)}


def shape_of(**changes):
    shape = TINY | changes
    if shape["hidden_size"] > TINY["hidden_size"]:
        shape["num_attention_heads"] = shape["hidden_size"] // 64
        shape["num_key_value_heads"] = shape["num_attention_heads"] // 2
    return shape


class Point:
    def __init__(self, axis, value, length=256, batch=8, rank=16, ranks=1, threads=None, **shape):
        self.axis, self.value = axis, value
        self.length, self.batch, self.rank = length, batch, rank
        self.ranks, self.threads, self.shape = ranks, threads, shape_of(**shape)


def points():
    out = [Point("length", length, length=length, batch=max(1, 8192 // length))
           for length in (256, 512, 1024, 2048, 4096, 8192)]
    out += [Point("batch", batch, batch=batch) for batch in (1, 4, 16, 64)]
    out += [Point("vocabulary", vocab, vocab_size=vocab)
            for vocab in (4096, 16384, 65536, 131072)]
    out += [Point("base", name, batch=2, **shape) for name, shape in SIZES.items()]
    out += [Point("rank", rank, rank=rank) for rank in (4, 16, 64, 256)]
    return out + [Point("processes", f"{ranks} x {threads} threads", ranks=ranks, threads=threads)
                  for ranks, threads in ((1, 1), (1, 2), (2, 1))]


def model_folder(point, setting):
    """Random weights in that shape, with the tokenizer of the bench's tiny model. Made by a process of its
    own: a child's peak memory begins with what its parent holds when it starts."""
    key = "-".join(str(value) for value in point.shape.values())
    folder = setting.work / f"scaling-{key}"
    if not (folder / "model.safetensors").exists():
        subprocess.run([setting.python, pathlib.Path(__file__).with_name("scaling_model.py"), folder,
                        json.dumps(point.shape)], check=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(setting.inputs / "tiny" / name, folder)
    return folder


def rows_file(point, setting):
    """Texts of more tokens than a row takes: every row is cut to its full length."""
    path = setting.work / f"scaling-{point.length}.jsonl"
    if not path.exists():
        draw = random.Random(0)
        word = lambda: "".join(draw.choices(string.ascii_lowercase, k=7))
        count = UPDATES * max(1, 8192 // point.length) + 64 * UPDATES * (point.length == 256)
        lines = [json.dumps({"text": " ".join(word() for _ in range(point.length))})
                 for _ in range(count)]
        path.write_text("\n".join(lines) + "\n")
    return path


def run(point, setting):
    setting = Setting(**vars(setting) | {"threads": point.threads or setting.threads})
    model, rows = model_folder(point, setting), rows_file(point, setting)
    keys = common_keys(setting, model.name, rows.name, UPDATES, point.batch, point.length)
    keys += [f"model.path={model}", f"data.path=[{rows}]", "train.optimizer.lr=2e-4",
             "samples.count=0", f"lora.rank={point.rank}", "data.template=none",
             "data.columns.completion=text", "data.columns.prompt=no_prompt",
             f"run.ranks={point.ranks}"]
    figures = with_tokens(setting.train("sft", *keys))
    tokens = point.batch * point.length
    if any(row["_tokens"] != tokens for row in figures["rows"]):
        raise Failed(f"{point.axis} {point.value}: updates are not of {tokens} tokens")
    seconds = sorted(row["_seconds"] for row in figures["rows"][2:])
    flops = flops_of(point.shape, tokens, point.length, point.rank)
    median = seconds[len(seconds) // 2]
    return {"axis": point.axis, "value": point.value, "tokens_per_update": tokens,
            "seconds_per_update": median, "tokens_per_second": tokens / median,
            "gflop_per_update": flops / 1e9, "gflop_per_second": flops / median / 1e9,
            "memory_mib": figures["memory_mib"], "threads": setting.threads}


def slope(line, before):
    if before is None or before["axis"] != line["axis"] or line["axis"] == "processes":
        return ""
    work = math.log(line["gflop_per_update"] / before["gflop_per_update"])
    time = math.log(line["seconds_per_update"] / before["seconds_per_update"])
    return f"{time / work:.2f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("settings", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    setting = read_setting(options.settings)
    with open(options.out, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        before = None
        for point in points():
            if options.only and point.axis not in options.only.split(","):
                continue
            line = run(point, setting)
            short = {key: f"{value:.4g}" if isinstance(value, float) else value
                     for key, value in line.items()}
            short |= {"slope": slope(line, before), "commit": commit(), "cpu": cpu()}
            writer.writerow(short)
            file.flush()
            print(*list(short.values())[:-2], sep="\t", flush=True)
            before = line


if __name__ == "__main__":
    main()
