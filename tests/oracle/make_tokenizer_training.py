"""Vocabularies that the trainers of `tokenizers` make from a text, as JSON on stdout.

    python make_tokenizer_training.py TEXT_FILE BPE_SIZE > fixtures/tokenizer/training.json
"""

import json
import sys

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

SPECIAL = ["<|endoftext|>", "<pad>"]


def train(model, pre_tokenizer, trainer, text):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator([text], trainer)
    return json.loads(tokenizer.to_str())["model"]


def main():
    text = open(sys.argv[1], encoding="utf-8", newline="").read()
    bpe = train(models.BPE(), pre_tokenizers.ByteLevel(add_prefix_space=False),
                trainers.BpeTrainer(vocab_size=int(sys.argv[2]), min_frequency=2, special_tokens=SPECIAL,
                                    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False), text)
    word = train(models.WordLevel(unk_token="<unk>"), pre_tokenizers.Whitespace(),
                 trainers.WordLevelTrainer(vocab_size=120, min_frequency=2,
                                           special_tokens=["<unk>"] + SPECIAL, show_progress=False), text)
    out = {"made_with": {"tokenizers": tokenizers.__version__}, "bpe": {"vocab": bpe["vocab"], "merges": bpe["merges"]},
           "word": word["vocab"]}
    if len(text) < 20000:
        out["text"] = text
    json.dump(out, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
