"""What llama.cpp makes of a GGUF file: reads {tokenize, generate, tokens, lora, logits} as JSON from standard
input and writes {ids, made, logits}. Greedy, on one thread; f32 keys and values, so that rounding there is not what differs.
usage: llama_answers.py FILE.gguf"""
import json
import sys

from llama_cpp import Llama, llama_cpp

questions = json.load(sys.stdin)
model = Llama(sys.argv[1], n_ctx=256, n_threads=1, n_threads_batch=1, verbose=False, logits_all="logits" in questions,
              type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32, flash_attn=False,
              lora_path=questions.get("lora"), vocab_only=questions.keys().isdisjoint({"generate", "logits"}))
ids = [model.tokenize(text.encode(), add_bos=True, special=True) for text in questions.get("tokenize", [])]
answers = []
for prompt in questions.get("generate", []):
    tokens = model.tokenize(prompt.encode(), add_bos=True, special=True)
    made = []
    model.reset()
    for token in model.generate(tokens, temp=0.0, top_k=1, repeat_penalty=1.0):
        if token == model.token_eos() or len(made) == questions["tokens"]:
            break
        made.append(token)
    answers.append(made)
logits = []
if "logits" in questions:
    model.reset()
    model.eval(questions["logits"])
    logits = model.scores[: len(questions["logits"])].tolist()
json.dump({"ids": ids, "made": answers, "logits": logits}, sys.stdout)
