"""transformers from nothing to one token: hf_cold_start.py MODEL PROMPTS"""
import json
import sys

from common import report

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

model, rows = sys.argv[1:3]
tokenizer = AutoTokenizer.from_pretrained(model)
ids = torch.tensor(tokenizer([json.loads(open(rows).readline())["prompt"]])["input_ids"])
model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
with torch.no_grad():
    out = model.generate(ids, min_new_tokens=1, max_new_tokens=1, do_sample=False, pad_token_id=1,
                         attention_mask=torch.ones_like(ids))
report(ids=out[:, ids.shape[1]:].tolist(), tokens=1)
