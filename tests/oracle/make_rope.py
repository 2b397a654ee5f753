"""Rotary tables of transformers' LlamaRotaryEmbedding for every scaling of modeling_rope_utils.

    python tests/oracle/make_rope.py

Writes tests/oracle/fixtures/rope.safetensors: for each case CASE.cos and CASE.sin (T, R / 2) f32, the tables of a
sequence of T positions that a fresh module sees first, and the case's parameters in the metadata.
"""
import json
import os

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from safetensors.torch import save_file
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

FIXTURES = os.path.join(os.path.dirname(__file__), "fixtures")
ORIGINAL = 64
YARN = dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=ORIGINAL)
DYNAMIC = dict(rope_type="dynamic", factor=4.0)

# name: rope_parameters, head_dim, positions
CASES = {
    "default": (dict(rope_type="default", rope_theta=10000.0), 16, 300),
    "linear": (dict(rope_type="linear", rope_theta=10000.0, factor=2.5), 16, 100),
    "linear_partial": (dict(rope_type="linear", rope_theta=1e6, factor=4.0, partial_rotary_factor=0.25), 64, 100),
    "llama3": (dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                    original_max_position_embeddings=ORIGINAL), 64, 200),
    "yarn": (dict(YARN, rope_theta=10000.0), 64, 200),
    "yarn_betas": (dict(YARN, rope_theta=500.0, beta_fast=16.0, beta_slow=2.0, attention_factor=0.75), 32, 200),
    "yarn_untruncated": (dict(YARN, rope_theta=10000.0, truncate=False), 32, 200),
    "yarn_one_dimension": (dict(YARN, rope_theta=500.0, beta_fast=1.0, beta_slow=1.0, truncate=False), 16, 200),
    "yarn_mscale": (dict(YARN, rope_theta=10000.0, mscale=1.0, mscale_all_dim=0.5), 32, 200),
    "dynamic_short": (dict(DYNAMIC, rope_theta=10000.0), 16, ORIGINAL - 4),
    "dynamic_long": (dict(DYNAMIC, rope_theta=10000.0), 16, ORIGINAL + 1),
    "dynamic_longer": (dict(DYNAMIC, rope_theta=10000.0), 16, 3 * ORIGINAL),
}


def tables(rope, head_dim, positions):
    config = LlamaConfig(hidden_size=2 * head_dim, num_attention_heads=2, head_dim=head_dim,
                         max_position_embeddings=ORIGINAL, rope_parameters=dict(rope))
    module = LlamaRotaryEmbedding(config)
    cos, sin = module(torch.zeros(1, 1, 1), torch.arange(positions)[None])
    half = cos.shape[-1] // 2
    return module, cos[0, :, :half].contiguous(), sin[0, :, :half].contiguous()


def main():
    tensors, cases = {}, {}
    for name, (rope, head_dim, positions) in CASES.items():
        module, cos, sin = tables(rope, head_dim, positions)
        tensors[f"{name}.cos"], tensors[f"{name}.sin"] = cos, sin
        cases[name] = dict(rope, dim=2 * cos.shape[1], positions=positions,
                           original_max_position_embeddings=ORIGINAL, attention_factor=float(module.attention_scaling))
    metadata = {"cases": json.dumps(cases),
                "versions": json.dumps({"torch": torch.__version__, "transformers": transformers.__version__})}
    save_file(tensors, os.path.join(FIXTURES, "rope.safetensors"), metadata)


if __name__ == "__main__":
    main()
