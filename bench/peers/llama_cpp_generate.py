"""llama.cpp, batch 1: llama_cpp_generate.py MODEL.gguf PROMPTS PROMPT NEW THREADS

Ids are given, so tokenizers play no part; sampling is greedy and EOS does not stop it."""
import json
import sys
import time

from common import report

path, rows, prompt, new, threads = sys.argv[1:6]
prompt, new, threads = int(prompt), int(new), int(threads)

from llama_cpp import Llama

model = Llama(path, n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False)
text = json.loads(open(rows).readline())["prompt"]
ids = model.tokenize(text.encode(), add_bos=False)[:prompt]


def run(count):
    model.reset()
    out = []
    for token in model.generate(ids, temp=0.0):
        out.append(token)
        if len(out) == count:
            return out


run(4)
begin = time.perf_counter()
ids_out = run(new)
seconds = time.perf_counter() - begin
report(tokens_per_s=new / seconds, tokens=new, ids=[ids_out])
