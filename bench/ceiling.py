"""Which share of the machine's limit a job reaches: for training, the time of the step's own matrix
products run alone, plus attention's operations at their rate; for decoding one sequence, the time to
read the weights once a token."""
import functools
import json
import subprocess

from measure import ROOT

RANK = 16  # of the adapters that jobs.py trains

def products(config, rows, rank):
    """(kind, M, N, K, count) of an update's products over `rows` tokens; rank 0: no adapter, all weights
    are trained."""
    C, F = config["hidden_size"], config["intermediate_size"]
    D = config.get("head_dim") or C // config["num_attention_heads"]
    q, kv = config["num_attention_heads"] * D, config["num_key_value_heads"] * D
    layers = config["num_hidden_layers"]
    linears = [[(C, q), (C, kv), (C, kv)], [(q, C)], [(C, F), (C, F)], [(F, C)]]
    out = []
    for parts in linears:  # q, k, v and gate, up are one product each
        inputs, outputs = parts[0][0], sum(part[1] for part in parts)
        out += [("nt", rows, outputs, inputs, layers), ("nn", rows, inputs, outputs, layers)]
        if rank == 0:
            out.append(("tn", outputs, inputs, rows, layers))
            continue
        for inputs, outputs in parts:
            out += [("nt", rows, rank, inputs, layers), ("nt", rows, outputs, rank, layers),
                    ("nn", rows, rank, outputs, layers), ("tn", outputs, rank, rows, layers),
                    ("nn", rows, inputs, rank, layers), ("tn", rank, inputs, rows, layers)]
    V = config["vocab_size"]
    out += [("nt", rows, V, C, 1), ("nn", rows, C, V, 1)]
    return out + ([("tn", V, C, rows, 1)] if rank == 0 else [])


def flops_of(config, rows, length, rank):
    """Of an update: its products and attention."""
    return (sum(2 * m * n * k * count for _, m, n, k, count in products(config, rows, rank))
            + attention_flops(config, rows, length))


def attention_flops(config, rows, length):
    """Causal: forward two products over half of the square, backward five."""
    C = config["hidden_size"]
    width = (config.get("head_dim") or C // config["num_attention_heads"]) \
        * config["num_attention_heads"]
    return 7 * rows * length * width * config["num_hidden_layers"]


def ceiling_program(what, threads, text=""):
    command = [ROOT / "build/bench_ceiling", what, str(threads)]
    return json.loads(subprocess.run(command, input=text, text=True, check=True,
                                     stdout=subprocess.PIPE).stdout)


@functools.cache
def step_seconds(model_folder, rows, length, rank, dtype, threads):
    config = json.loads((model_folder / "config.json").read_text())
    text = "".join(" ".join(map(str, product)) + "\n" for product in products(config, rows, rank))
    alone = ceiling_program(f"gemm-{dtype}", threads, text)
    rate = alone["flops"] / alone["seconds"]
    return alone["seconds"] + attention_flops(config, rows, length) / rate


@functools.cache
def bytes_per_second(threads):
    return ceiling_program("memory", threads)["bytes_per_second"]


def share_of_ceiling(job, speed, setting):
    """"" where no limit is stated: work with padding, samplers or several phases."""
    folder = setting.inputs / job.model
    name = job.name.removesuffix("-bf16")
    if name in ("pretrain", "sft-full", "sft-lora"):
        rows = 2048 if job.model == "tiny" else 512
        rank = RANK if name == "sft-lora" else 0
        dtype = "f32" if name == job.name else "bf16"
        limit = rows / step_seconds(folder, rows, 256, rank, dtype, setting.threads)
        return f"{speed / limit:.2f}"
    if job.name in ("generate-b1", "generate-b1-int8") and job.model == "smol":
        weight_bytes = (folder / "model.safetensors").stat().st_size
        if job.name.endswith("-int8"):
            weight_bytes *= (1 + 4 / 32) / 4  # a byte each, and an f32 scale for 32
        return f"{speed * weight_bytes / bytes_per_second(setting.threads):.2f}"
    return ""
