"""Greedy completions of transformers for tests/core/model/test_generate*.cpp.

    python tests/oracle/make_generate.py [STORIES260K]

Writes fixtures/generate/: a tiny random Llama (model/), a LoRA adapter for it (adapter.safetensors,
our names, values drawn by peft) and expected.json. With the folder of stories260K its story of 200
tokens is made too; without it the one in the file stands.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import peft
import safetensors.torch
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "generate")
SHORTEST_MARGIN = 2e-4  # between the first and second logit: rounding must not decide


class TooClose(Exception):
    pass


def tiny_model(seed):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=96, hidden_size=32, intermediate_size=44, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, head_dim=12, max_position_embeddings=256,
        rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
        initializer_range=0.25,
        rope_parameters={"rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0,
                         "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64})
    return LlamaForCausalLM(config).eval()


def greedy(model, prompt, new_tokens, eos=None, **options):
    out = model.generate(
        torch.tensor([prompt]), do_sample=False, max_new_tokens=new_tokens, output_scores=True,
        return_dict_in_generate=True, eos_token_id=eos, pad_token_id=0,
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long), **options)
    for scores in out.scores:
        first, second = scores[0].topk(2).values.tolist()
        if first - second < SHORTEST_MARGIN:
            raise TooClose
    ids = out.sequences[0, len(prompt):].tolist()
    with torch.no_grad():
        logits = model(out.sequences).logits[0, len(prompt) - 1:-1]
    logprobs = torch.log_softmax(logits.double(), -1).gather(1, torch.tensor(ids)[:, None])[:, 0]
    return {"prompt": prompt, "ids": ids, "logprobs": [round(x, 7) for x in logprobs.tolist()]}


def adapted(model):
    torch.manual_seed(12)
    config = peft.LoraConfig(
        r=5, lora_alpha=10, init_lora_weights=False, target_modules=[
            "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    model = peft.get_peft_model(model, config).eval()
    tensors = {}
    for name, tensor in model.state_dict().items():
        if "lora_" not in name:
            continue
        parts = name.split(".")  # base_model.model.model.layers.0.self_attn.q_proj.lora_A...
        linear = parts[parts.index("layers") + 3].removesuffix("_proj")
        which = "a" if "lora_A" in name else "b"
        tensors[f"layers.{parts[parts.index('layers') + 1]}.{linear}.{which}"] = tensor
    return model, tensors


def make(seed):
    model = tiny_model(seed)
    prompts = [[1], [1, 40, 41, 42, 43], [1] + [(7 * i) % 90 + 3 for i in range(16)],
               [1] + [(11 * i) % 90 + 3 for i in range(39)]]
    runs = lambda m, **options: [greedy(m, p, 48, **options) for p in prompts]
    plain = runs(model)
    early = sorted({plain[1]["ids"][3], plain[2]["ids"][5]})
    # The EOS that run 1 would end with is the last one that is too early.
    exact = 1 + next(i for i, id in enumerate(plain[1]["ids"]) if id in early)
    result = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                     "peft": peft.__version__},
        "plain": {"runs": plain},
        "penalty": {"repetition_penalty": 1.3, "runs": runs(model, repetition_penalty=1.3)},
        "eos": {"eos_ids": early, "runs": runs(model, eos=early)},
        "min_new": {"eos_ids": early, "min_new_tokens": 12,
                    "runs": runs(model, eos=early, min_new_tokens=12)},
        "min_new_exact": {"eos_ids": early, "min_new_tokens": exact,
                          "runs": runs(model, eos=early, min_new_tokens=exact)},
    }
    model.save_pretrained(os.path.join(OUT, "model"))
    os.chmod(os.path.join(OUT, "model", "model.safetensors"), 0o644)
    with_adapter, tensors = adapted(model)
    result["adapter"] = {"scale": 2.0, "runs": runs(with_adapter)}
    safetensors.torch.save_file(tensors, os.path.join(OUT, "adapter.safetensors"))
    return result


def make_without_close_calls():
    for seed in range(11, 200):
        try:
            return make(seed)
        except TooClose:
            continue
    raise SystemExit("no seed without a close call")


def main():
    os.makedirs(OUT, exist_ok=True)
    expected_file = os.path.join(OUT, "expected.json")
    result = make_without_close_calls()
    if len(sys.argv) > 1:
        stories = LlamaForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
        run = greedy(stories, [1], 200, eos=2)
        tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
        run["text"] = tokenizer.decode(run["ids"], skip_special_tokens=True)
        result["stories260K"] = run
    else:
        with open(expected_file) as file:
            result["stories260K"] = json.load(file)["stories260K"]
    with open(expected_file, "w") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")


main()
