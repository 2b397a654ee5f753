"""One step of SFT, of PPO and of generation on the GPU, beside transformers' on the same; called by gpu.sh.

    gpu_steps.py MODEL TEXTS PROMPTS WORK

Prints lines for bench/gpu.csv: step,shape,dtype,us,their_us,theirs over ours,,  (PPO has no peer here)."""
import json
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BATCH, LENGTH, STEPS, RESPONSE = 8, 512, 12, 64


def plumb(*words):
    return subprocess.run([ROOT / "build/plumb", *map(str, words)], cwd=ROOT, check=True, text=True,
                          capture_output=True).stdout


def rows_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def our_sft(model, texts, work):
    """Seconds of an update, the median without the first two."""
    plumb("sft", ROOT / "recipes/sft.yaml", f"model.path={model}", f"data.path=[{texts}]", "data.template=none",
          "data.columns.completion=text", "data.columns.prompt=no_prompt", f"data.max_length={LENGTH}",
          f"data.limit={STEPS * BATCH}", "data.validation_fraction=0", f"train.batch_size={BATCH}",
          f"train.steps={STEPS}", f"train.micro_batch_tokens={BATCH * LENGTH}", "train.eval_every=0",
          "train.checkpoint_every=0", "train.log_every=1", "samples.count=0", "lora.rank=16",
          "run.precision=bf16", "run.device=cuda", "--out", work / "sft", "--quiet", "--overwrite")
    seconds, before = [], 0
    for row in rows_of(work / "sft"):
        seconds.append((row["num_tokens"] - before) / row["tokens_per_second"])
        before = row["num_tokens"]
    return statistics.median(seconds[2:])


def our_ppo(model, prompts, work):
    plumb("ppo", ROOT / "recipes/ppo.yaml", f"model.path={model}", f"data.path=[{prompts}]", "data.template=none",
          f"train.batch_size={BATCH}", "train.steps=5", "data.validation_fraction=0", "train.eval_every=0",
          "train.checkpoint_every=0", f"ppo.rollout.response_length={RESPONSE}", "ppo.num_ppo_epochs=1",
          "ppo.reward.terms=[{kind: length, target: 50}]", "ppo.critic.init=zero",
          "ppo.reward.missing_eos_penalty=null", "run.precision=bf16", "run.device=cuda", "--out", work / "ppo",
          "--quiet", "--overwrite")
    return statistics.median(row["perf/iteration_seconds"] for row in rows_of(work / "ppo")[1:])


def our_decode(model, prompts):
    """Seconds of a step of the whole batch."""
    out = plumb("generate", model, "--prompts", prompts, "--max-new-tokens", RESPONSE, "--min-new-tokens", RESPONSE,
                "--batch", BATCH, "--device", "cuda", "--json")
    return json.loads(out.splitlines()[-1])["seconds"] / RESPONSE


def their_model(model, dtype):
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(model, dtype=dtype).cuda()


def timed(work, count):
    import torch
    times = []
    for _ in range(count):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:])


def their_sft(model, texts):
    """Forward, backward and AdamW of LoRA over rows filled to LENGTH, as packed rows are."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    trained = get_peft_model(their_model(model, "bfloat16"), LoraConfig(r=16, lora_alpha=32, target_modules=targets))
    optimizer = torch.optim.AdamW([p for p in trained.parameters() if p.requires_grad], lr=2e-4, fused=True)
    text = " ".join(json.loads(line)["text"] for line in open(texts))
    ids = AutoTokenizer.from_pretrained(model)(text)["input_ids"][:BATCH * LENGTH]
    batch = torch.tensor(ids, device="cuda").view(BATCH, LENGTH)

    def update():
        trained(input_ids=batch, labels=batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return timed(update, STEPS)


def their_decode(model, prompts):
    import torch
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    texts = [json.loads(line)["prompt"] for line in open(prompts)][:BATCH]
    inputs = tokenizer(texts, return_tensors="pt", padding=True).to("cuda")
    loaded = their_model(model, "float32").eval()
    options = dict(min_new_tokens=RESPONSE, max_new_tokens=RESPONSE, do_sample=True, top_k=0,
                   pad_token_id=tokenizer.pad_token_id)
    with torch.no_grad():
        return timed(lambda: loaded.generate(**inputs, **options), 4) / RESPONSE


def line(name, shape, dtype, ours, theirs=None):
    ratio = f"{theirs / ours:.2f}" if theirs else ""
    their_us = f"{theirs * 1e6:.1f}" if theirs else ""
    print(f'{name},"{shape}",{dtype},{ours * 1e6:.1f},{their_us},{ratio},,', flush=True)


def main():
    model, texts, prompts, work = sys.argv[1], sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])
    line("sft step", f"{BATCH} x {LENGTH}, LoRA 16", "bf16", our_sft(model, texts, work), their_sft(model, texts))
    line("ppo iteration", f"{BATCH} responses of {RESPONSE}", "bf16", our_ppo(model, prompts, work))
    line("decode step", f"batch {BATCH}", "f32", our_decode(model, prompts), their_decode(model, prompts))


main()
