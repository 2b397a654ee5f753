"""plumb sft and plumb ppo on a small model of every family: a few steps each, and the adapter opens in PEFT.
usage: train_check.py build/plumb FOLDER      (FOLDER as tests/oracle/make_families.py made it)"""
import json, os, shutil, subprocess, sys
import torch, transformers
from peft import PeftModel
from safetensors.torch import load_file

sys.path.insert(0, "tests/oracle")
import make_families

PLUMB, FAMILIES = sys.argv[1:]
# One of each family, and all of Falcon's architectures.
VARIANTS = [variant for variant, (model_type, _) in make_families.VARIANTS.items()
            if variant == model_type or model_type == "falcon"]
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
failures = []


def run(name, *words):
    """What it wrote to stdout; None where it failed."""
    done = subprocess.run([PLUMB, *words], capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout
    failures.append(name)
    print(f"FAIL {name}: ended with {done.returncode}\n{done.stderr}")


def metrics(folder):
    with open(f"{folder}/metrics.jsonl") as file:
        return [json.loads(line) for line in file]


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'} {name} {detail}")
    if not passed:
        failures.append(name)


def write_data(work):
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    animals = ["fox", "dog", "owl", "hen"]
    with open(f"{work}/sft.jsonl", "w") as sft, open(f"{work}/prompts.jsonl", "w") as prompts:
        for i in range(24):
            prompt = f"the {animals[i % 4]} {i}:"
            sft.write(json.dumps({"prompt": prompt, "completion": " jumps over the lazy dog."}) + "\n")
            prompts.write(json.dumps({"prompt": prompt}) + "\n")


@torch.no_grad()
def text_to_text(variant, work):
    """The loss on answers, and a greedy answer, with ids of transformers' own tokenizer: prompt and answer as two texts."""
    folder = f"{FAMILIES}/{variant}/model"
    model, tokenizer = make_families.open_causal(folder), transformers.AutoTokenizer.from_pretrained(folder)
    ids = lambda text: tokenizer(text, return_tensors="pt").input_ids
    total, count = 0.0, 0
    with open(f"{work}/sft.jsonl") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        labels = ids(row["completion"])
        total += model(input_ids=ids(row["prompt"]), labels=labels).loss.item() * labels.numel()
        count += labels.numel()
    measured = run(f"{variant} eval", "eval", folder, "--data", f"{work}/sft.jsonl", "--json")
    if measured is not None:
        measured = json.loads(measured)
        check(f"{variant}: eval is transformers' loss", measured["tokens"] == count and abs(measured["loss"] - total / count) < 1e-4,
              f"{measured['loss']:.6f} over {measured['tokens']} of {total / count:.6f} over {count}")
    prompt = rows[3]["prompt"]
    wanted = model.generate(ids(prompt), do_sample=False, max_new_tokens=8, eos_token_id=make_families.EOS)[0, 1:].tolist()
    for how in ([], ["--template", "auto"]):
        made = run(f"{variant} generate", "generate", folder, "--prompt", prompt, "--greedy", "--max-new-tokens", "8", "--json", *how)
        if made is not None:
            made = json.loads(made)["completions"][0]["ids"]
            check(f"{variant}: a prompt{' in a turn' if how else ''} is answered as by transformers", made == wanted, f"{made} {wanted}")


def train(variant, work):
    model = f"{FAMILIES}/{variant}/model"
    common = [f"model.path={model}", "lora.rank=4", "samples.count=0", "train.batch_size=8", "train.optimizer.lr=0.01",
              f"data.store={work}/{variant}_store", "--threads", "1", "--quiet"]
    if run(f"{variant} sft", "sft", f"data.path=[{work}/sft.jsonl]", "train.steps=4", "--out", f"{work}/{variant}_sft", *common) is not None:
        losses = [row["loss"] for row in metrics(f"{work}/{variant}_sft") if "loss" in row]
        check(f"{variant}: SFT lowers the loss", losses[-1] < losses[0], f"{losses[0]:.3f} -> {losses[-1]:.3f}")
        adapter = f"{work}/{variant}_sft/adapter"
        base = make_families.open_causal(model)
        names = {name for name, _ in PeftModel.from_pretrained(base, adapter).named_parameters() if "lora_" in name}
        saved = load_file(f"{adapter}/adapter_model.safetensors")
        check(f"{variant}: PEFT has a place for all of it", len(names) == len(saved), f"{len(saved)} tensors")
    ppo = [word for word in common if not word.startswith("samples")]
    if run(f"{variant} ppo", "ppo", f"data.path=[{work}/prompts.jsonl]", "train.steps=2",
           # What no two random responses have alike: without differences there is no advantage.
           "ppo.reward.terms=[{kind: length, target: 8, unit: characters}]", "ppo.rollout.response_length=8",
           "--out", f"{work}/{variant}_ppo", *ppo) is not None:
        first = metrics(f"{work}/{variant}_ppo")[0]
        # The first minibatch sees the policy that sampled: cached decoding and the training forward agree.
        check(f"{variant}: PPO's sampler and trainer agree", first["sampling/logprob_gap_max"] < 1e-4,
              f"largest gap {first['sampling/logprob_gap_max']:.1e}")


work = f"{FAMILIES}/training"
write_data(work)
for variant in VARIANTS:
    train(variant, work)
    if make_families.VARIANTS[variant][0] == "t5":
        text_to_text(variant, work)
sys.exit(f"{len(failures)} checks failed: {', '.join(failures)}" if failures else 0)
