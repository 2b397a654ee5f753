"""How many parameters models of every family have, and LoRA on all their linears, by transformers and PEFT.

    python tests/oracle/make_plan.py tests/oracle/fixtures/plan/parameters.json

Models are made on the meta device, in published shapes, so that no weights are needed.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import peft
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

RANK = 8
SHAPES = {
    "llama": dict(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
                  num_attention_heads=9, num_key_value_heads=3, tie_word_embeddings=True),
    "mistral": dict(),
    "qwen2": dict(vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
                  num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True),
    "qwen3": dict(vocab_size=151936, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28,
                  num_attention_heads=16, num_key_value_heads=8, head_dim=128, tie_word_embeddings=True),
    "gemma": dict(), "gemma2": dict(), "phi3": dict(), "gpt2": dict(), "gpt_neox": dict(num_hidden_layers=6),
    "falcon": dict(), "t5": dict(decoder_start_token_id=0),
}


def linear_modules(model):
    """All linears but the head, by the ends of their names."""
    kinds = (torch.nn.Linear, transformers.pytorch_utils.Conv1D)
    names = {name for name, module in model.named_modules() if isinstance(module, kinds)}
    return sorted(name for name in names if "lm_head" not in name and "embed_out" not in name)


def counted(model):
    return sum(p.numel() for p in model.parameters())


def of_family(model_type, shape):
    config = AutoConfig.for_model(model_type, **shape)
    kind = AutoModelForSeq2SeqLM if model_type == "t5" else AutoModelForCausalLM
    with torch.device("meta"):
        model = kind.from_config(config)
        total = counted(model)
        lora = peft.LoraConfig(r=RANK, target_modules=linear_modules(model),
                               fan_in_fan_out=model_type == "gpt2")
        adapted = peft.get_peft_model(model, lora)
        trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    return {"config": json.loads(config.to_json_string(use_diff=False)), "parameters": total,
            "lora_parameters": trained}


def main(path):
    out = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                        "peft": peft.__version__},
           "rank": RANK,
           "models": {name: of_family(name, shape) for name, shape in SHAPES.items()}}
    with open(path, "w") as file:
        json.dump(out, file, indent=1)
        file.write("\n")
    for name, model in out["models"].items():
        print(name, model["parameters"], model["lora_parameters"])


if __name__ == "__main__":
    main(sys.argv[1])
