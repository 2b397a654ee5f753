"""What llama.cpp makes of a GGUF file: reads {tokenize, generate, tokens, lora, logits, encode} as JSON from
standard input and writes {ids, made, logits}. Greedy, on one thread; f32 keys and values, so that rounding there is not what differs.
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
if "encode" in questions:  # an encoder's text, then logits at each of the decoder's ids
    context = model._ctx.ctx
    for name, step in (("encode", llama_cpp.llama_encode), ("logits", llama_cpp.llama_decode)):
        for part in [questions[name]] if name == "encode" else [[id_] for id_ in questions[name]]:
            held = (llama_cpp.llama_token * len(part))(*part)
            assert step(context, llama_cpp.llama_batch_get_one(held, len(part))) == 0, name
            if name == "logits":
                logits.append(llama_cpp.llama_get_logits_ith(context, -1)[: model.n_vocab()])
elif "logits" in questions:
    model.reset()
    model.eval(questions["logits"])
    logits = model.scores[: len(questions["logits"])].tolist()
json.dump({"ids": ids, "made": answers, "logits": logits}, sys.stdout)
