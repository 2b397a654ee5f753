"""Ids that `tokenizers` gives with each kind of normalizer, pre-tokenizer, added token and decoder.

    python make_tokenizer_parts.py SEED STRINGS > fixtures/tokenizer/parts.json

One model serves all: every character is a token, and has another form with </w> at a piece's end,
so that ids show where pieces end. The C++ test puts the sections of each setup around it.
"""

import base64
import json
import random
import sys
import tempfile

import sentencepiece
import tokenizers
from make_tokenizer import encode_case, random_text
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, pre_tokenizers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
HAN = r"[\p{Han}&&[^\u4e00]]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
WORDS = r"\b\w+\b|(?<=[a-z])\d|[^\W\d]+$|^.|\h{2,}|(?m:a.b)|\R"
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def metaspace(scheme, is_split):
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": is_split}


def sequence(*items):
    return {"type": "Sequence", "pretokenizers": list(items)}


def token(content, **flags):
    defaults = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    return {"content": content, **defaults, **flags}


NORMALIZERS = [{"type": kind} for kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "ByteLevel")] + [
    {"type": "Strip", "strip_left": True, "strip_right": False},
    {"type": "Strip", "strip_left": False, "strip_right": True},
    {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "\u2581"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
    {"type": "Replace", "pattern": {"Regex": r"\s+|(?i)[b-d]"}, "content": "_ "},
    {"type": "StripAccents"}, {"type": "Nmt"},
    {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "NFC"}]},
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False, "strip_accents": True, "lowercase": False},
    {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": True, "strip_accents": False, "lowercase": True},
]
PRE_TOKENIZERS = (
    [split(r"\s+|\d", behavior) for behavior in BEHAVIORS]
    + [split(r"\s+|\d", behavior, invert=True) for behavior in BEHAVIORS]
    + [split("a", "Removed", kind="String"), split(" ", "MergedWithNext", kind="String")]
    + [{"type": "Punctuation", "behavior": behavior} for behavior in BEHAVIORS]
    + [{"type": "Digits", "individual_digits": flag} for flag in (False, True)]
    + [metaspace(s, f) for s in ("always", "first", "never") for f in (True, False)]
    + [{"type": "Whitespace"}, {"type": "WhitespaceSplit"},
       {"type": "CharDelimiterSplit", "delimiter": "a"}, {"type": "BertPreTokenizer"},
       {"type": "UnicodeScripts"}, {"type": "FixedLength", "length": 3},
       sequence({"type": "WhitespaceSplit"}, metaspace("always", True)),
       {**BYTE_LEVEL, "add_prefix_space": True}, {**BYTE_LEVEL, "use_regex": False},
       sequence({"type": "WhitespaceSplit"}, metaspace("first", True)),
       sequence({"type": "Punctuation"}, BYTE_LEVEL, {"type": "Digits", "individual_digits": True})]
    + [sequence(split(p), {**BYTE_LEVEL, "use_regex": False}) for p in (LLAMA3, GPT4O, QWEN2, DEEPSEEK)]
    + [split(HAN), split(WORDS)])
ADDED = [
    [token("<s>", lstrip=True), token("</s>", rstrip=True), token("<unk>", lstrip=True, rstrip=True)],
    [token("ab", single_word=True, special=False), token("1", special=False), token("12", special=False)],
    [token("HELLO", normalized=True, special=False), token("<|END|>", normalized=True)],
]
DECODERS = [
    None, BYTE_LEVEL, metaspace("always", True), metaspace("never", True), {"type": "Fuse"},
    {"type": "BPEDecoder", "suffix": "</w>"},
    {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"},
        {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    {"type": "Sequence", "decoders": [
        {"type": "ByteFallback"}, {"type": "Replace", "pattern": {"Regex": "[a-c]+"}, "content": ""},
        {"type": "Fuse"}, {"type": "Strip", "content": "a", "start": 2, "stop": 0}]},
    {"type": "WordPiece", "prefix": "##", "cleanup": True}, {"type": "WordPiece", "prefix": "a", "cleanup": False},
    {"type": "CTC", "pad_token": "<s>", "word_delimiter_token": "\u2581", "cleanup": True},
    {"type": "CTC", "pad_token": "b", "word_delimiter_token": "|", "cleanup": False},
]
MODEL_FLAGS = [{}, {"fuse_unk": True}, {"byte_fallback": True},
               {"continuing_subword_prefix": "##", "end_of_word_suffix": None, "fuse_unk": True}]
DECODED = ["a", "b", "c", "\u2581", "\u2581a", "a\u2581", "</w>", "x</w>", "<0x41>", "<0xE6>", "<0x97>", "<0xA5>",
           "<0x0g>", "<s>", "##a", "##b", ".", "n't", " do not", "'s", "\u0120", "\u0120the", "\u00c3", "\u00a9", "\u00e6", "aa", " ", "\u65e5"]


def make_model(texts, normalizers, flags):
    chars = set(pre_tokenizers.ByteLevel.alphabet()) | set("\u2581_")
    for text in texts:
        chars |= set(text)
        for normalizer in normalizers:
            chars |= set(normalizer.normalize_str(text))
    dropped = sorted(chars)[7::19]  # some characters stay unknown
    chars -= set(dropped) - set(pre_tokenizers.ByteLevel.alphabet())
    names = ["<unk>"] + DECODED + sorted(chars)
    names += [c + "</w>" for c in sorted(chars)] + ["##" + c for c in sorted(chars)]
    names += [f"<0x{byte:02X}>" for byte in range(0xC0, 0x100)] + [f"<0x{byte:02X}>" for byte in range(0x80, 0xC0)]
    vocab = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": "</w>", "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, **flags, "vocab": vocab, "merges": []}


def make_models(model):
    """Others with the same tokens and longer ones: WordPiece, Unigram with and without bytes, WordLevel."""
    names = list(model["vocab"]) + ["the", "qu", "ick", "##ick", "##he", "dog", "dogs", "\u2581the", "ll", "12", "HE", "LLO"]
    names = list(dict.fromkeys(names))
    vocab = {name: i for i, name in enumerate(names)}
    scores = [[name, -float(3 + (7 * i) % 11 - 2 * len(name))] for i, name in enumerate(names)]
    few = [pair for i, pair in enumerate(scores) if i == 0 or i % 5 or len(pair[0]) > 2]
    return [
        {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##", "max_input_chars_per_word": 20,
         "vocab": vocab},
        {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "", "max_input_chars_per_word": 100,
         "vocab": vocab},
        {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": scores},
        {"type": "Unigram", "unk_id": 0, "byte_fallback": True, "vocab": few},
        {"type": "WordLevel", "unk_token": "<unk>", "vocab": vocab},
    ]


def small_charsmap():
    """A precompiled map, by SentencePiece's own compiler."""
    with tempfile.TemporaryDirectory() as folder:
        rules = [("\u00e9", "e"), ("e\u0301", "E"), ("\u200b", ""), ("\t", " "), ("\ufb01", "fi"), ("\u2581", "_"),
                 ("\r\n", "\n"), ("1", "one"), ("\u65e5\u672c", "J"), ("ab", "x"), ("\u0600", "#")]
        text = "\n".join("\t".join(" ".join(f"{ord(c):X}" for c in part) for part in rule) for rule in rules)
        open(f"{folder}/rules.tsv", "w").write(text + "\n")
        open(f"{folder}/text.txt", "w").write("the quick brown fox jumps over the lazy dog\n" * 50)
        sentencepiece.SentencePieceTrainer.train(
            input=f"{folder}/text.txt", model_prefix=f"{folder}/m", vocab_size=40, hard_vocab_limit=False,
            normalization_rule_tsv=f"{folder}/rules.tsv", minloglevel=2)
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(open(f"{folder}/m.model", "rb").read())
        return base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()


def document(model, setup):
    added = [{"id": setup["ids"][t["content"]], **t} for t in setup.get("added", [])]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": setup.get("normalizer"), "pre_tokenizer": setup.get("pre_tokenizer"),
            "post_processor": None, "decoder": setup.get("decoder"),
            "model": {**setup.get("model", model), **setup.get("flags", {})}}


def make_setups(model):
    vocab = model["vocab"]
    setups = [{"normalizer": n} for n in NORMALIZERS] + [{"pre_tokenizer": p} for p in PRE_TOKENIZERS]
    setups += [{"added": a, "normalizer": {"type": "Lowercase"} if i == 2 else None}
               for i, a in enumerate(ADDED)]
    setups += [{"flags": f} for f in MODEL_FLAGS]
    setups += [{"model": m, "pre_tokenizer": p} for m in make_models(model)
               for p in (None, {"type": "BertPreTokenizer"}, metaspace("first", True))]
    setups.append({"normalizer": {"type": "Precompiled", "precompiled_charsmap": small_charsmap()}})
    for setup in setups:
        setup["ids"] = {}
        next_id = len(vocab)
        for t in setup.get("added", []):
            known = vocab.get(t["content"])
            setup["ids"][t["content"]] = next_id if known is None else known
            next_id += known is None
    return setups


def main():
    rng = random.Random(int(sys.argv[1]))
    words = "the quick Brown fox, doesn't jump 12 times over 3.14 lazy dogs! ab cab ab1 HELLO hello".split()
    texts = [random_text(rng, words) for _ in range(int(sys.argv[2]))]
    texts += [" ab <s>  x</s> \n<unk> ab ab1", "12 121 hello HELLO <|END|>", "a1b22 c333\r\n\n d"]
    normalizers = [tokenizers.normalizers.Sequence([getattr(tokenizers.normalizers, n)()])
                   for n in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase")]
    model = make_model(texts, normalizers, {})
    setups = make_setups(model)
    for setup in setups:
        tokenizer = Tokenizer.from_str(json.dumps(document(model, setup)))
        setup["cases"] = []
        for text in texts:
            case = encode_case(tokenizer, text.encode())
            setup["cases"].append([case["plain"], case["literal"], case["offsets"]])
    decoders = []
    for decoder in DECODERS:
        tokenizer = Tokenizer.from_str(json.dumps(document(model, {"decoder": decoder})))
        lists = [[model["vocab"][rng.choice(DECODED)] for _ in range(rng.randrange(1, 9))]
                 for _ in range(int(sys.argv[2]))]
        decoders.append({"decoder": decoder, "cases": [[ids, tokenizer.decode(ids)] for ids in lists]})
    json.dump({"made_with": {"tokenizers": tokenizers.__version__}, "texts": [t.encode().hex() for t in texts],
               "model": model, "setups": setups, "decoders": decoders}, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
