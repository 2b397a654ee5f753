"""Biases and options of attention as transformers forms them.

    python tests/oracle/make_attention.py

Writes tests/oracle/fixtures/attention.safetensors: buckets.NAME int64, T5Attention's bucket of each offset (key minus
query) from -past to future; alibi.H (H, T) f32 of Falcon; gemma.{q,k,v,out,grad_out,grad_q,grad_k,grad_v} f64, (T, H, D)
of one sequence through Gemma 2's attention with its soft cap and sliding window. Parameters are in the metadata.
"""
import json
import os

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from safetensors.torch import save_file
from transformers.masking_utils import sliding_window_overlay
from transformers.models.falcon.modeling_falcon import build_alibi_tensor
from transformers.models.gemma2.modeling_gemma2 import eager_attention_forward
from transformers.models.t5.modeling_t5 import T5Attention

FIXTURES = os.path.join(os.path.dirname(__file__), "fixtures")
# buckets, max_distance, is_bidirectional, past, future
BUCKETS = {
    "encoder": (32, 128, True, 600, 600),
    "decoder": (32, 128, False, 600, 40),
    "small": (8, 20, True, 50, 50),
    "odd": (31, 100, False, 300, 0),
    "wide": (64, 1000, True, 1500, 1500),
}
ALIBI_HEADS = (1, 4, 12, 20)
ALIBI_POSITIONS = 600
GEMMA = dict(queries=40, heads=4, kv_heads=2, width=8, scale=0.6, softcap=2.5, window=9)


def gemma():
    shape = GEMMA["queries"], GEMMA["width"]
    generator = torch.Generator().manual_seed(11)
    draw = lambda heads: torch.randn(1, heads, *shape, generator=generator, dtype=torch.float64)
    q, k, v = (draw(GEMMA[name]).requires_grad_() for name in ("heads", "kv_heads", "kv_heads"))
    inner = sliding_window_overlay(GEMMA["window"])
    rows, columns = torch.arange(shape[0])[:, None], torch.arange(shape[0])[None]
    hidden = ~(inner(0, 0, rows, columns) & (columns <= rows))
    mask = torch.zeros(1, 1, shape[0], shape[0], dtype=torch.float64).masked_fill_(hidden, float("-inf"))
    module = torch.nn.Module()
    module.num_key_value_groups = GEMMA["heads"] // GEMMA["kv_heads"]
    # The softmax inside runs in f32: this one stays in f64, so that the fixture is exact.
    softmax = torch.nn.functional.softmax
    torch.nn.functional.softmax = lambda x, dim, dtype: softmax(x, dim=dim)
    out, _ = eager_attention_forward(module, q, k, v, mask, scaling=GEMMA["scale"], softcap=GEMMA["softcap"])
    torch.nn.functional.softmax = softmax
    grad_out = torch.randn(out.shape, generator=generator, dtype=torch.float64)
    grads = torch.autograd.grad(out, (q, k, v), grad_out)
    rows_first = lambda x: x.detach()[0].transpose(0, 1).contiguous()
    tensors = {name: rows_first(x) for name, x in zip("qkv", (q, k, v))}
    tensors.update({f"grad_{name}": rows_first(x) for name, x in zip("qkv", grads)})
    return {**tensors, "out": out.detach()[0].contiguous(), "grad_out": grad_out[0].contiguous()}


def main():
    tensors = {f"gemma.{name}": x for name, x in gemma().items()}
    for name, (buckets, max_distance, is_bidirectional, past, future) in BUCKETS.items():
        tensors[f"buckets.{name}"] = T5Attention._relative_position_bucket(
            torch.arange(-past, future + 1), is_bidirectional, buckets, max_distance)
    for heads in ALIBI_HEADS:
        mask = torch.ones(1, ALIBI_POSITIONS, dtype=torch.long)
        tensors[f"alibi.{heads}"] = build_alibi_tensor(mask, heads, torch.float32)[:, 0].contiguous()
    metadata = {"buckets": json.dumps(BUCKETS), "gemma": json.dumps(GEMMA),
                "versions": json.dumps({"torch": torch.__version__, "transformers": transformers.__version__})}
    save_file(tensors, os.path.join(FIXTURES, "attention.safetensors"), metadata)


main()
