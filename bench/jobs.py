"""The jobs of the bench: what each side runs, and what shows that both did the same work.

A job gives the speed of either side (higher is better) and a list of complaints about the work,
which is empty when it was the same."""
import dataclasses
import json
import math
import pathlib

from measure import ROOT, run, run_peer, run_training

LOSS_TOLERANCE = 0.02  # of a run's mean loss; rows come in another order, so single steps differ


@dataclasses.dataclass
class Setting:
    inputs: pathlib.Path
    work: pathlib.Path
    plumb: pathlib.Path
    python: pathlib.Path  # with transformers and TRL
    trl112: pathlib.Path  # TRL 1.12.0, apart
    llama_python: pathlib.Path  # with llama-cpp-python
    threads: int

    def environment(self):
        threads = str(self.threads)
        return {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1",
                "TOKENIZERS_PARALLELISM": "false", "XDG_CACHE_HOME": str(self.work / "cache"),
                "CUDA_VISIBLE_DEVICES": ""}

    def peer(self, script, *arguments, python=None, path=None):
        """A peer's figures: RESULT, seconds and memory of the process."""
        environment = self.environment() | ({"PYTHONPATH": str(path)} if path else {})
        command = [python or self.python, ROOT / "bench/peers" / script, *map(str, arguments)]
        return run_peer(command, environment, self.work / f"{pathlib.Path(script).stem}.log")

    def train(self, job, *keys):
        folder = self.work / f"run-{job}"
        words = [job, ROOT / f"recipes/{job}.yaml", *keys, f"run.threads={self.threads}"]
        command = [self.plumb, *words, "--out", folder, "--quiet", "--overwrite"]
        figures = run_training(list(map(str, command)), folder, self.environment(),
                               self.work / f"plumb-{job}.log")
        return figures | {"words": words}

    def plan(self, words):
        """What `plumb plan` foretells of the same words: peak memory and seconds of the updates."""
        log = self.work / "plumb-plan.log"
        run(list(map(str, [self.plumb, "plan", *words, "--json"])), self.environment(), log)
        stage = json.loads(log.read_text().splitlines()[-1])["stages"][0]
        return {"memory_mib": stage["peak_memory_bytes"] / 2**20, "seconds": stage["seconds"]}


@dataclasses.dataclass
class Job:
    name: str
    model: str
    mode: str  # best or shipped: the peer's flags
    peer: str
    unit: str
    ours: callable    # Setting -> figures with "speed"
    theirs: callable  # the same
    check: callable   # (ours, theirs) -> complaints
    rounds: int = 5


def steady(rows, count):
    """Per second, over the updates after the second one: the first ones warm up."""
    return sum(count(row) for row in rows[2:]) / sum(row["_seconds"] for row in rows[2:])


def loss_complaints(ours, theirs):
    complaints = []
    if ours["steps"] != theirs["steps"]:
        complaints.append(f"updates: {ours['steps']} and {theirs['steps']}")
    mean = lambda values: sum(values) / len(values)
    a, b = mean(ours["losses"]), mean(theirs["losses"])
    if not math.isclose(a, b, rel_tol=LOSS_TOLERANCE):
        complaints.append(f"mean loss: {a:.4f} and {b:.4f}")
    return complaints


def with_tokens(figures):
    """num_tokens counts up over the run; tokens_per_second is of the update itself."""
    rows, before = figures["rows"], 0
    for row in rows:
        row["_tokens"] = row["num_tokens"] - before
        row["_seconds"] = row["_tokens"] / row["tokens_per_second"]
        before = row["num_tokens"]
    return figures | {"speed": steady(rows, lambda row: row["_tokens"]), "tokens": before,
                      "losses": [row["loss"] for row in rows],
                      "update_seconds": sum(row["_seconds"] for row in rows)}


def common_keys(setting, model, rows, steps, batch, length):
    # The same AdamW and linear decay as the peer's defaults, no warm-up, no held-out rows.
    return [f"model.path={setting.inputs / model}", f"data.path=[{setting.inputs / rows}]",
            f"data.max_length={length}", f"data.limit={steps * batch}",
            "data.validation_fraction=0", f"train.batch_size={batch}", f"train.steps={steps}",
            f"train.micro_batch_tokens={batch * length}", "train.eval_every=0",
            "train.checkpoint_every=0", "train.log_every=1", "train.schedule.schedule=linear",
            "train.schedule.warmup_ratio=0", "train.schedule.min_lr_ratio=0",
            "train.optimizer.beta2=0.999", "train.optimizer.weight_decay=0"]


def titled(name, numbers):
    """A job's name says what its products or weights are stored in, where that is not f32."""
    return name if numbers == "f32" else f"{name}-{numbers}"


def text_job(name, model, mode, data, weights, steps, batch, dtype="f32"):
    """Next-token training: SFTTrainer on our side of the fence is `plumb sft` or `plumb pretrain`."""
    job = "pretrain" if name == "pretrain" else "sft"

    def ours(setting):
        keys = common_keys(setting, model, f"{data}.jsonl", steps, batch, 256)
        keys += ["train.optimizer.lr=2e-4", "samples.count=0", f"run.precision={dtype}"]
        if job == "sft":
            keys += [f"lora.rank={16 if weights == 'lora' else 0}", "data.template=none"]
        if data == "packed" and job == "sft":
            keys += ["data.columns.completion=text", "data.columns.prompt=no_prompt"]
        return with_tokens(setting.train(job, *keys))

    def theirs(setting):
        figures = setting.peer("trl_sft.py", setting.inputs / model,
                               setting.inputs / f"{data}.jsonl", steps, batch, 256, weights, mode,
                               dtype)
        return figures | {"speed": figures["tokens_per_s"]}

    def check(a, b):
        complaints = loss_complaints(a, b)
        if a["tokens"] != b["tokens"]:
            complaints.append(f"tokens: {a['tokens']} and {b['tokens']}")
        return complaints

    return Job(titled(name, dtype), model, mode, "trl 1.16", "tokens/s", ours, theirs, check)


def reward_job(model, mode, steps, batch, dtype="f32"):
    def ours(setting):
        keys = common_keys(setting, model, "pairs.jsonl", steps, batch, 256)
        keys += ["train.optimizer.lr=1e-4", "lora.rank=0", "data.template=none",
                 f"train.micro_batch_tokens={2 * batch * 256}", f"run.precision={dtype}"]
        figures = with_tokens(setting.train("reward", *keys))
        return figures | {"speed": steady(figures["rows"], lambda row: batch)}

    def theirs(setting):
        figures = setting.peer("trl_reward.py", setting.inputs / model,
                               setting.inputs / "pairs.jsonl", steps, batch, 256, mode, dtype)
        return figures | {"speed": figures["pairs_per_s"]}

    return Job(titled("reward", dtype), model, mode, "trl 1.16", "pairs/s", ours, theirs,
               loss_complaints)


def ppo_job(model, iterations, batch, epochs, rounds):
    response, prompt = 48, 64

    def ours(setting):
        keys = [f"model.path={setting.inputs / model}", f"train.batch_size={batch}",
                f"train.steps={iterations}", f"data.path=[{setting.inputs}/prompts-{prompt}.jsonl]",
                f"data.limit={iterations * batch}", "data.validation_fraction=0",
                "data.template=none", "train.eval_every=0", "train.checkpoint_every=0",
                f"ppo.num_ppo_epochs={epochs}", f"ppo.rollout.response_length={response}",
                "ppo.rollout.temperature=0.7", "ppo.rollout.keep=0", "ppo.rollout.samples_every=0",
                f"ppo.reward.model={setting.inputs / model}-reward", "ppo.critic.init=zero",
                "ppo.reward.missing_eos_penalty=null"]
        figures = setting.train("ppo", *keys)
        rows = figures["rows"]
        later = rows[1:] or rows
        mean = lambda key: sum(row[f"perf/{key}_seconds"] for row in later) / len(later)
        seconds = mean("iteration")
        return figures | {"speed": 1.0 / seconds, "episodes": rows[-1]["episode"],
                          "update_seconds": sum(row["perf/iteration_seconds"] for row in rows),
                          "parts": ", ".join(f"{part} {mean(part):.2f} s"
                                             for part in ("rollout", "score", "update")),
                          "entropy": rows[0]["objective/entropy"],
                          "length": rows[0]["val/response_length"],
                          "updates": sum(row["updates"] for row in rows)}

    def theirs(setting):
        figures = setting.peer("trl_ppo.py", setting.inputs / model,
                               f"{setting.inputs / model}-reward",
                               setting.inputs / f"prompts-{prompt}.jsonl", iterations, batch,
                               response, epochs, path=setting.trl112)
        rest = figures["iteration_s"] - figures["rollout_s"]
        return figures | {"speed": 1.0 / figures["iteration_s"],
                          "parts": f"rollout {figures['rollout_s']:.2f} s, rest {rest:.2f} s"}

    def check(a, b):
        complaints = []
        if a["episodes"] != b["episodes"]:
            complaints.append(f"responses: {a['episodes']} and {b['episodes']}")
        if a["updates"] != iterations * epochs:
            complaints.append(f"updates: {a['updates']}, not {iterations * epochs}")
        if not math.isclose(a["length"], response, rel_tol=0.05):
            complaints.append(f"tokens a response: {a['length']:.1f}, not {response}")
        # Summed over a response: says that both drew as many tokens from the same distribution.
        if not math.isclose(a["entropy"], b["entropy"], rel_tol=0.05):
            complaints.append(f"entropy of a response: {a['entropy']:.2f} and {b['entropy']:.2f}")
        return complaints

    return Job("ppo", model, "best", "trl 1.12", "iterations/s", ours, theirs, check, rounds)


def generated(setting, model, batch, new, *flags):
    log = setting.work / "plumb-generate.log"
    prompts = setting.work / f"prompts-{batch}.jsonl"
    rows = (setting.inputs / "prompts-32.jsonl").read_text().splitlines()[:batch]
    prompts.write_text("\n".join(rows) + "\n")
    figures = run([setting.plumb, "generate", setting.inputs / model, "--prompts", prompts,
                   "--max-new-tokens", str(new), "--min-new-tokens", str(new), "--batch",
                   str(batch), "--threads", str(setting.threads), "--json", *flags],
                  setting.environment(), log)
    result = json.loads(log.read_text().splitlines()[-1])
    ids = [completion["ids"] for completion in result["completions"]]
    return figures | {"speed": batch * new / result["seconds"], "tokens": sum(map(len, ids)),
                      "ids": ids, "first_step_s": figures["seconds"] - result["seconds"]}


def same_count(a, b):
    return [] if a["tokens"] == b["tokens"] else [f"tokens: {a['tokens']} and {b['tokens']}"]


def generate_job(model, batch, new, weights="f32"):
    def theirs(setting):
        figures = setting.peer("hf_generate.py", setting.inputs / model,
                               setting.inputs / "prompts-32.jsonl", batch, new, "sample")
        return figures | {"speed": figures["tokens_per_s"]}

    return Job(titled(f"generate-b{batch}", weights), model, "best", "transformers", "tokens/s",
               lambda setting: generated(setting, model, batch, new, "--temperature", "1",
                                         "--weights", weights), theirs, same_count)


def gguf(setting, model, dtype):
    """The model as our export writes it for llama.cpp."""
    path = setting.work / f"{model}-{dtype}.gguf"
    if not path.exists():
        run([setting.plumb, "export", setting.inputs / model, "--format", "gguf", "--dtype", dtype,
             "--out", path], setting.environment(), setting.work / "plumb-export.log")
    return path


def llama_cpp_job(model, new, weights):
    """At equal precision: q8_0's numbers are those of our int8."""
    def theirs(setting):
        path = gguf(setting, model, "q8_0" if weights == "int8" else weights)
        figures = setting.peer("llama_cpp_generate.py", path, setting.inputs / "prompts-32.jsonl",
                               new, setting.threads, python=setting.llama_python)
        return figures | {"speed": figures["tokens_per_s"]}

    def check(a, b):
        complaints = same_count(a, b)
        if b["prompt_tokens"] != 32:
            complaints.append(f"a prompt of {b['prompt_tokens']} tokens, not 32")
        # Of q8_0 llama.cpp rounds the activations too, so a near tie may fall the other way.
        if weights == "f32" and a["ids"] != b["ids"]:
            complaints.append(f"ids: {a['ids']} and {b['ids']}")
        return complaints

    return Job(titled("generate-b1", weights), model, "best", "llama.cpp", "tokens/s",
               lambda setting: generated(setting, model, 1, new, "--greedy", "--weights", weights),
               theirs, check)


def cold_start_job(model):
    """From nothing to one token: start of the process, model, tokenizer, prompt."""
    def ours(setting):
        figures = generated(setting, model, 1, 1, "--greedy")
        return figures | {"speed": 1.0 / figures["seconds"]}

    def theirs(setting):
        figures = setting.peer("hf_cold_start.py", setting.inputs / model,
                               setting.inputs / "prompts-32.jsonl")
        return figures | {"speed": 1.0 / figures["seconds"]}

    same_id = lambda a, b: [] if a["ids"] == b["ids"] else [f"ids: {a['ids']} and {b['ids']}"]
    return Job("cold-start", model, "best", "transformers", "1/s", ours, theirs, same_id)


def all_jobs():
    jobs = []
    for mode in ("best", "shipped"):
        jobs += [text_job("pretrain", "tiny", mode, "packed", "full", 12, 8),
                 text_job("sft-full", "tiny", mode, "packed", "full", 12, 8),
                 text_job("sft-lora", "tiny", mode, "packed", "lora", 12, 8),
                 text_job("sft-lora-ragged", "tiny", mode, "ragged", "lora", 12, 8),
                 reward_job("tiny", mode, 10, 8)]
    jobs += [text_job("sft-full", "smol", "best", "packed", "full", 5, 2),
             text_job("sft-lora", "smol", "best", "packed", "lora", 6, 2),
             text_job("sft-full", "tiny", "best", "packed", "full", 12, 8, "bf16"),
             text_job("sft-lora", "tiny", "best", "packed", "lora", 12, 8, "bf16"),
             text_job("sft-lora", "smol", "best", "packed", "lora", 6, 2, "bf16"),
             reward_job("tiny", "best", 10, 8, "bf16"),
             ppo_job("tiny", 4, 16, 4, 5), ppo_job("smol", 2, 8, 1, 2)]
    for model, new in (("tiny", 64), ("smol", 48)):
        jobs += [generate_job(model, 1, new), generate_job(model, 16, new),
                 generate_job(model, 1, new, "int8"), llama_cpp_job(model, new, "f32"),
                 llama_cpp_job(model, new, "int8")]
    return jobs + [cold_start_job("tiny"), cold_start_job("smol")]
