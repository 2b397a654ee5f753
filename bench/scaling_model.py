"""A Llama with random weights: scaling_model.py FOLDER SHAPE_AS_JSON"""
import json
import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM

folder, shape = sys.argv[1:3]
torch.manual_seed(0)
LlamaForCausalLM(LlamaConfig(max_position_embeddings=8192, bos_token_id=0, eos_token_id=0,
                             pad_token_id=1, tie_word_embeddings=True,
                             **json.loads(shape))).save_pretrained(folder)
