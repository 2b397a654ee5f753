"""Writes what both sides of the bench read: two models with random weights, a tokenizer, and rows.

    inputs.py OUT HH_JSONL_GZ

tiny (5.5M) and smol (134M, the shape of SmolLM2-135M), each with a reward model of the same shape;
packed.jsonl: texts of exactly PACKED - 1 tokens, so that with its EOS a row fills its place and neither
side pads; ragged.jsonl, pairs.jsonl: real prompts with answers, none above RAGGED tokens;
prompts-N.jsonl: prompts of exactly N tokens. Rows decode and encode to the same ids, checked here.
"""
import gzip
import json
import pathlib
import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (AutoModelForSequenceClassification, LlamaConfig, LlamaForCausalLM,
                          PreTrainedTokenizerFast)

from shapes import SHAPES

PACKED = 256
RAGGED = 256
PROMPTS = (32, 64)
EOS = "<|endoftext|>"


def split(transcript):
    """(up to and with the last "Assistant:", the answer)"""
    at = transcript.rindex("\n\nAssistant:") + len("\n\nAssistant:")
    return transcript[:at].strip("\n"), transcript[at:]


def read_pairs(path):
    pairs = []
    with gzip.open(path, "rt") as file:
        for row in map(json.loads, file):
            prompt, chosen = split(row["chosen"])
            other, rejected = split(row["rejected"])
            words = [answer.strip() for answer in (chosen, rejected)]
            if prompt == other and chosen != rejected and all(words):
                pairs.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
    return pairs


def train_tokenizer(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=4096, special_tokens=[EOS, "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tokenizer


def exact_rows(tokenizer, ids, length):
    """Texts of the stream that are `length` tokens each, and are so again when they are encoded."""
    rows = []
    for begin in range(0, len(ids) - length, length):
        text = tokenizer.decode(ids[begin:begin + length])
        if len(tokenizer.encode(text).ids) == length:
            rows.append(text)
    return rows


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_models(out, tokenizer):
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=EOS, bos_token=EOS,
                                   pad_token="<|pad|>")
    for name, shape in SHAPES.items():
        torch.manual_seed(0)
        config = LlamaConfig(max_position_embeddings=2048, bos_token_id=0, eos_token_id=0,
                             pad_token_id=1, tie_word_embeddings=True, **shape)
        LlamaForCausalLM(config).save_pretrained(out / name)
        reward = AutoModelForSequenceClassification.from_pretrained(out / name, num_labels=1)
        reward.save_pretrained(out / f"{name}-reward")
        fast.save_pretrained(out / name)
        fast.save_pretrained(out / f"{name}-reward")


def main(out, hh):
    out.mkdir(parents=True, exist_ok=True)
    pairs = read_pairs(hh)
    tokenizer = train_tokenizer(pair["prompt"] + pair["chosen"] for pair in pairs)
    length = lambda text: len(tokenizer.encode(text).ids)
    stream = tokenizer.encode("\n\n".join(pair["prompt"] + pair["chosen"] for pair in pairs)).ids
    write_rows(out / "packed.jsonl", [{"text": t} for t in exact_rows(tokenizer, stream, PACKED - 1)])
    for count in PROMPTS:
        write_rows(out / f"prompts-{count}.jsonl",
                   [{"prompt": t} for t in exact_rows(tokenizer, stream, count)])
    fits = [pair for pair in pairs if max(length(pair["prompt"] + pair["chosen"]),
                                          length(pair["prompt"] + pair["rejected"])) < RAGGED]
    write_rows(out / "pairs.jsonl", fits)
    write_rows(out / "ragged.jsonl",
               [{"prompt": pair["prompt"], "completion": pair["chosen"]} for pair in fits])
    write_models(out, tokenizer)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
