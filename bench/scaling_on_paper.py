"""The table of scaling.py for Llama 3.1 8B on GPUs, on paper: what `plumb plan` foretells.

    scaling_on_paper.py build/plumb TOKENIZER_FOLDER OUT [--device h100-80g]

OUT gets a model without weights (a config.json and a safetensors file that is a header and a hole) and
made-up rows; the table is printed as Markdown. Nothing here is measured."""
import argparse
import json
import pathlib
import random
import shutil
import string
import struct
import subprocess

from measure import ROOT

CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096,
          "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
          "num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
          "rope_theta": 500000.0, "tie_word_embeddings": False, "hidden_act": "silu",
          "bos_token_id": 0, "eos_token_id": 0}
VOCAB = 128256
TOKENS = 65536  # an update
ROWS = 256


def shapes(vocab):
    C, F, KV = 4096, 14336, 1024
    out = {"model.embed_tokens.weight": [vocab, C], "lm_head.weight": [vocab, C],
           "model.norm.weight": [C]}
    for layer in range(CONFIG["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        out |= {at + "self_attn.q_proj.weight": [C, C], at + "self_attn.k_proj.weight": [KV, C],
                at + "self_attn.v_proj.weight": [KV, C], at + "self_attn.o_proj.weight": [C, C],
                at + "mlp.gate_proj.weight": [F, C], at + "mlp.up_proj.weight": [F, C],
                at + "mlp.down_proj.weight": [C, F], at + "input_layernorm.weight": [C],
                at + "post_attention_layernorm.weight": [C]}
    return out


def write_model(folder, tokenizer, vocab):
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, folder)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": vocab}))
    header, end = {}, 0
    for name, shape in shapes(vocab).items():
        begin = end
        end += 2 * shape[0] * (shape[1] if len(shape) == 2 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return folder


def write_rows(out):
    draw = random.Random(0)
    word = lambda: "".join(draw.choices(string.ascii_lowercase, k=7))
    path = out / "rows.jsonl"
    text = " ".join(word() for _ in range(8192))
    path.write_text("".join(json.dumps({"text": text, "prompt": f"{n} {text[:400]}"}) + "\n"
                            for n in range(ROWS)))
    return path


class Planner:
    def __init__(self, options):
        self.options = options
        self.rows = write_rows(options.out)
        self.models = {}

    def model(self, vocab):
        if vocab not in self.models:
            folder = self.options.out / f"8b-{vocab}"
            self.models[vocab] = write_model(folder, self.options.tokenizer, vocab)
        return self.models[vocab]

    def plan(self, job, ranks, *keys):
        command = [self.options.plumb, "plan", job, ROOT / f"recipes/{job}.yaml", *keys,
                   f"data.path=[{self.rows}]", "data.validation_fraction=0", "data.template=none",
                   "--device", f"cuda:{self.options.device}", "--ranks", str(ranks), "--json"]
        text = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if text.returncode:
            return None, text.stderr.strip().splitlines()[-1]
        stage = json.loads(text.stdout.splitlines()[-1])["stages"][0]
        return stage, ""

    def sft(self, length=2048, batch=None, rank=16, ranks=1, vocab=VOCAB, micro=16384):
        batch = batch or TOKENS // length
        stage, why = self.plan("sft", ranks, f"model.path={self.model(vocab)}", f"data.limit={batch}",
                               f"data.max_length={length}", f"train.batch_size={batch}",
                               f"train.micro_batch_tokens={micro}", f"lora.rank={rank}",
                               "data.columns.completion=text", "data.columns.prompt=no_prompt",
                               "samples.count=0", "train.steps=1")
        if stage is None:
            return why
        seconds = stage["seconds"]
        return (f"{seconds:.2f} | {batch * length / seconds:,.0f} | "
                f"{stage['peak_memory_bytes'] / 1e9:.0f}")

    def ppo(self, ranks, batch=64):
        stage, why = self.plan("ppo", ranks, f"model.path={self.model(VOCAB)}", f"data.limit={batch}",
                               f"ppo.reward.model={self.model(VOCAB)}", f"train.batch_size={batch}",
                               "train.steps=1", "ppo.rollout.response_length=512",
                               "ppo.num_ppo_epochs=4")
        if stage is None:
            return why
        parts = stage["seconds_by_phase"]
        return (f"{stage['seconds']:.1f} | {parts['rollout']:.1f} | {parts['scoring']:.1f} | "
                f"{parts['update']:.1f} | {stage['peak_memory_bytes'] / 1e9:.0f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("plumb", type=pathlib.Path)
    parser.add_argument("tokenizer", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--device", default="h100-80g")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    planner = Planner(options)
    print("| SFT with LoRA | seconds an update | tokens/s | GB a GPU |\n|---|---|---|---|")
    for length in (256, 512, 1024, 2048, 4096, 8192):
        print(f"| {length} tokens a sequence | {planner.sft(length=length)} |")
    for batch in (1, 4, 16, 64):
        print(f"| {batch} sequences of 2,048 | {planner.sft(batch=batch)} |")
    for vocab in (4096, 32768, VOCAB):
        print(f"| vocabulary {vocab:,} | {planner.sft(vocab=vocab)} |")
    for rank in (4, 16, 64, 256):
        print(f"| rank {rank} | {planner.sft(rank=rank)} |")
    for micro in (2048, 8192, 16384, 32768):
        print(f"| {micro:,} tokens a micro-batch | {planner.sft(micro=micro)} |")
    for ranks in (1, 8):
        print(f"| {ranks} GPUs | {planner.sft(ranks=ranks, micro=8192)} |")
    print("\n| PPO, an iteration | seconds | rollout | scoring | updates | GB a GPU |\n|---|---|---|---|---|---|")
    for ranks in (1, 8):
        print(f"| {ranks} GPUs | {planner.ppo(ranks)} |")


if __name__ == "__main__":
    main()
