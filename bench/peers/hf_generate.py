"""transformers' generate in f32: hf_generate.py MODEL PROMPTS BATCH NEW {sample|greedy}

PROMPTS are rows of equal length; `sample` times drawing at temperature 1, `greedy` gives the ids."""
import json
import sys
import time

from common import START, report

model, rows, batch, new, how = sys.argv[1:6]
batch, new = int(batch), int(new)

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(model)
texts = [json.loads(line)["prompt"] for line in open(rows)][:batch]
ids = torch.tensor(tokenizer(texts)["input_ids"])
model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
ready = time.perf_counter() - START
drawing = dict(do_sample=True, top_k=0, temperature=1.0) if how == "sample" else dict(do_sample=False)
options = dict(pad_token_id=1, attention_mask=torch.ones_like(ids), **drawing)
with torch.no_grad():
    model.generate(ids, min_new_tokens=4, max_new_tokens=4, **options)
    begin = time.perf_counter()
    out = model.generate(ids, min_new_tokens=new, max_new_tokens=new, **options)
    seconds = time.perf_counter() - begin
report(tokens_per_s=batch * new / seconds, tokens=batch * new, first_step_s=ready,
       ids=out[:, ids.shape[1]:].tolist() if how == "greedy" else None)
