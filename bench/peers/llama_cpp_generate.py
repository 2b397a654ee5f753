"""llama.cpp's greedy decoding of one sequence: llama_cpp_generate.py MODEL.gguf PROMPTS NEW THREADS

By the library's own calls, without what llama-cpp-python's generate() does a token in Python. EOS
does not end it."""
import json
import sys
import time

from common import START, report

path, rows, new, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

import llama_cpp
from llama_cpp import Llama

model = Llama(path, n_ctx=2048, n_batch=512, n_threads=threads, n_threads_batch=threads,
              verbose=False)
text = json.loads(open(rows).readline())["prompt"]
prompt = model.tokenize(text.encode(), add_bos=False)
context = model.ctx
sampler = llama_cpp.llama_sampler_init_greedy()
ready = time.perf_counter() - START


def decode(ids):
    array = (llama_cpp.llama_token * len(ids))(*ids)
    if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(ids))) != 0:
        raise RuntimeError("llama_decode failed")
    return llama_cpp.llama_sampler_sample(sampler, context, -1)


def run(count):
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    out = [decode(prompt)]
    while len(out) < count:
        out.append(decode(out[-1:]))
    return out


run(4)
begin = time.perf_counter()
ids = run(new)
seconds = time.perf_counter() - begin
report(tokens_per_s=new / seconds, tokens=new, prompt_tokens=len(prompt), first_step_s=ready, ids=[ids])
