"""Strings with the ids and texts that Hugging Face's `tokenizers` gives, as JSON on stdout.

    python make_tokenizer.py TOKENIZER.json COUNT SEED [TEXT_FILE ...]

Each case: hex (the bytes given; decoded with errors="replace" for the library), plain ids
(add_special_tokens=False), full ids (True) with their offsets in characters (begin, end, begin, ...),
literal ids (encode_special_tokens), the decoded text of `full` with special tokens kept and without. One in ten cases decodes random ids instead.
"""

import json
import random
import sys

import tokenizers
from tokenizers import Tokenizer

SNIPPETS = ["", " ", "  ", "\t", "\n", "\r\n", "\n\n", "'s", "'LL", "don't", "1", "12", "123", "1234567",
            "3.14", "Hello", " world", "HELLO", "\u00e9t\u00e9", "\u65e5\u672c\u8a9e", "\u0440\u0443\u0441",
            "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "a\u0301", "\u2581", "\u00a0",
            "\u200b", "\ufeff", "\u180e", "\u3000", "</s>", "<s>", "<unk>", "<0x41>", "<|endoftext|>",
            "<|im_start|>", "<|im_end|>", "<|user|>", "<|end|>", "...", "!?", "$%^", "\u00bd", "\u0664",
            "\u017f", "\u212a", "\u1e9e", "\u0130", "\ufb01", "\u01c5", "\x00", "\x7f", "\u0e01\u0e33",
            "\u0915\u094d\u0937", "\u05d0", "\u0627\u0644", "\ud55c\uad6d", "_", "-", "a_b", "x" * 40]


def random_text(rng, words):
    kind = rng.randrange(6)
    if kind == 0:
        return "".join(rng.choice(SNIPPETS) for _ in range(rng.randrange(1, 12)))
    if kind == 1:
        return "".join(random_char(rng) for _ in range(rng.randrange(1, 24)))
    if kind == 2:
        pool = [random_char(rng) for _ in range(3)] + [" ", "a", "1", "\n"]
        return "".join(rng.choice(pool) for _ in range(rng.randrange(1, 40)))
    if kind == 3 and words:
        return rng.choice([" ", "  ", "\n"]).join(rng.choice(words) for _ in range(rng.randrange(1, 9)))
    if kind == 4 and words:
        start = rng.randrange(len(words))
        return " ".join(words[start:start + rng.randrange(1, 30)])
    return "".join(chr(rng.randrange(32, 127)) for _ in range(rng.randrange(1, 40)))


def random_char(rng):
    while True:
        bound = rng.choice([0x80, 0x100, 0x800, 0x3000, 0x10000, 0x20000, 0x110000])
        c = rng.randrange(bound)
        if not 0xD800 <= c <= 0xDFFF:
            return chr(c)


def random_bytes(rng, words):
    if rng.randrange(8):
        return random_text(rng, words).encode()
    data = bytearray(random_text(rng, words).encode())
    for _ in range(rng.randrange(1, 4)):
        data.insert(rng.randrange(len(data) + 1), rng.randrange(256))
    return bytes(data)


def case(tokenizer, rng, words):
    if rng.randrange(10) == 0:
        full = [rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randrange(1, 12))]
        out = {"ids": full}
    else:
        data = random_bytes(rng, words)
        out = encode_case(tokenizer, data)
        full = out["full"]
    out["kept"] = tokenizer.decode(full, skip_special_tokens=False)
    out["text"] = tokenizer.decode(full, skip_special_tokens=True)
    return out


def encode_case(tokenizer, data):
    text = data.decode(errors="replace")
    tokenizer.encode_special_tokens = False
    plain = tokenizer.encode(text, add_special_tokens=False).ids
    whole = tokenizer.encode(text)
    tokenizer.encode_special_tokens = True
    literal = tokenizer.encode(text, add_special_tokens=False).ids
    return {"hex": data.hex(), "plain": plain, "full": whole.ids, "literal": literal,
            "offsets": [i for pair in whole.offsets for i in pair]}


def main():
    path, count, seed, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    words = [w for f in files for w in open(f, encoding="utf-8").read().split(" ") if w]
    rng = random.Random(seed)
    cases = [case(tokenizer, rng, words) for _ in range(count)]
    json.dump({"made_with": {"tokenizers": tokenizers.__version__}, "cases": cases}, sys.stdout)


if __name__ == "__main__":
    main()
