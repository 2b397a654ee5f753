"""Tokenizers of every family, made here, with what transformers and `tokenizers` make of them.

    python make_tokenizer_zoo.py OUT TEXT_FILE SHARED_TOKENIZERS     writes folders, prints their names as JSON
    python make_tokenizer_zoo.py --reopen TEXT_FILE (FOLDER EXPECTED_JSON) ...    prints "equal", or differences

OUT/<name>/source holds files of another library (SentencePiece, tiktoken, tekken, GPT-2, BERT), OUT/<name>/
tokenizer.json what transformers' AutoTokenizer makes of that folder. Names without a source are tokenizer.json files
trained by `tokenizers` with the pipelines of Llama 3, Qwen, Gemma, T5, BERT, GPT-NeoX and others.
"""

import base64
import json
import os
import pathlib
import shutil
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sentencepiece
import tokenizers
from make_tokenizer_parts import GPT4O, LLAMA3, QWEN2
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SCRIPTS = ("Ein Müller fährt über Straßen. Le garçon naïf a mangé l'œuf. Привет, как дела? Καλημέρα κόσμε. "
           "日本語のテキスト。 中文字符測試。 한국어 문장입니다. مرحبا بالعالم שלום עולם हिन्दी वाक्य ไทย "
           "def f(x):\n    return x ** 2  # code\n\tif (a[i] != b) { return 0; }\n 1234567 3.14 ½ ² \u2581 \U0001f600 ")


# Trained by `tokenizers`

def byte_level(pattern, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def bpe_trainer(special, size=1500):
    return trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False,
                               initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def llama3(text):
    tokenizer = byte_level(LLAMA3, ignore_merges=True)
    tokenizer.train_from_iterator(text, bpe_trainer(["<|begin_of_text|>", "<|eot_id|>"]))
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A $B",
                                      special_tokens=[("<|begin_of_text|>", 0)])])
    return tokenizer


def qwen(text):
    tokenizer = byte_level(QWEN2)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.train_from_iterator(text, bpe_trainer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
    return tokenizer


def gpt_neox(text):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.train_from_iterator(text, bpe_trainer(["<|endoftext|>", "<|padding|>"]))
    tokenizer.add_tokens([tokenizers.AddedToken(" " * n, normalized=True) for n in range(24, 1, -1)])
    return tokenizer


def roberta(text):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(text, bpe_trainer(["<s>", "</s>"]))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=True,
                                                           add_prefix_space=True)
    tokenizer.add_special_tokens([tokenizers.AddedToken("<mask>", lstrip=True)])
    return tokenizer


def tekken(text):
    tokenizer = byte_level(TEKKEN, ignore_merges=True)
    tokenizer.train_from_iterator(text, bpe_trainer(["<unk>", "<s>", "</s>", "[INST]"]))
    return tokenizer


def gpt4o(text):
    tokenizer = byte_level(GPT4O)
    tokenizer.train_from_iterator(text, bpe_trainer(["<|endoftext|>"]))
    return tokenizer


def bert(text, lower):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(text, trainers.WordPieceTrainer(
        vocab_size=1500, limit_alphabet=150, show_progress=False,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


def unigram(text, normalizer, pre_tokenizer):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(text, trainers.UnigramTrainer(
        vocab_size=900, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def trained(text, charsmap):
    few = text[: len(text) // 4]
    precompiled = normalizers.Precompiled(charsmap)
    xlnet = normalizers.Sequence([
        normalizers.Replace("``", '"'), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
        precompiled, normalizers.Replace(Regex(" {2,}"), " ")])
    marian = normalizers.Sequence([precompiled, normalizers.Strip(left=False, right=True),
                                   normalizers.Replace(Regex(" {2,}"), "\u2581")])
    return {
        "llama3": llama3(text), "qwen": qwen(text), "gpt-neox": gpt_neox(text), "roberta": roberta(text),
        "tekken": tekken(text), "gpt4o": gpt4o(text), "bert": bert(text, True), "bert-cased": bert(text, False),
        "t5": unigram(few, precompiled, pre_tokenizers.Sequence([
            pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])),
        "xlnet": unigram(few, xlnet, pre_tokenizers.Metaspace(prepend_scheme="first")),
        "marian": unigram(few, marian, pre_tokenizers.Metaspace(split=False)),
    }


# Files of other libraries

def write_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


def train_sentencepiece(path, text_file, **options):
    sentencepiece.SentencePieceTrainer.train(
        input=str(text_file), model_prefix=str(path.with_suffix("")), minloglevel=2, hard_vocab_limit=False,
        max_sentence_length=20000, input_sentence_size=3000, **options)
    path.with_suffix(".vocab").unlink()


def byte_tokens(encoder_json):
    """GPT-2's tokens as bytes, in order of their ids."""
    alphabet = {}
    printable = [b for b in range(256) if 33 <= b <= 126 or (161 <= b and b != 173)]
    for n, b in enumerate([b for b in range(256) if b not in printable]):
        alphabet[chr(256 + n)] = b
    alphabet.update({chr(b): b for b in printable})
    vocab = json.loads(encoder_json.read_text(encoding="utf-8"))
    return [bytes(alphabet[c] for c in token) for token, _ in sorted(vocab.items(), key=lambda item: item[1])
            if token != "<|endoftext|>"]


def sources(out, text_file, shared):
    def folder(name, tokenizer_class):
        path = out / name / "source"
        path.mkdir(parents=True)
        write_json(path / "tokenizer_config.json", {"tokenizer_class": tokenizer_class})
        return path

    path = folder("spm-mistral", "LlamaTokenizer")
    shutil.copy(shared / "mistral-v3/tokenizer.model", path)
    path = folder("spm-torchtune", "PreTrainedTokenizerFast")
    shutil.copy(shared / "torchtune/m.model", path / "tokenizer.model")
    path = folder("spm-t5", "T5Tokenizer")
    train_sentencepiece(path / "spiece.model", text_file, vocab_size=900, model_type="unigram", pad_id=0, eos_id=1,
                        unk_id=2, bos_id=-1, normalization_rule_name="nmt_nfkc")
    path = folder("spm-gemma", "GemmaTokenizer")
    train_sentencepiece(path / "tokenizer.model", text_file, vocab_size=1200, model_type="bpe", pad_id=0, eos_id=1,
                        bos_id=2, unk_id=3, eos_piece="<eos>", bos_piece="<bos>", byte_fallback=True,
                        normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
                        user_defined_symbols=["<mask>", "<start_of_turn>", "<end_of_turn>", "\n\n"])
    path = folder("spm-unigram", "PreTrainedTokenizerFast")
    train_sentencepiece(path / "tokenizer.model", text_file, vocab_size=900, model_type="unigram", byte_fallback=True)

    for name, tokenizer_class in (("gpt2", "GPT2Tokenizer"), ("qwen2-files", "Qwen2Tokenizer")):
        path = folder(name, tokenizer_class)
        shutil.copy(shared / "gpt2/encoder.json", path / "vocab.json")
        shutil.copy(shared / "gpt2/vocab.bpe", path / "merges.txt")
    tokens = byte_tokens(shared / "gpt2/encoder.json")
    path = folder("tiktoken", "PreTrainedTokenizerFast")
    (path / "tokenizer.model").write_text(
        "".join(f"{base64.b64encode(t).decode()} {i}\n" for i, t in enumerate(tokens)))
    flags = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    write_json(path / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin|>",
        "added_tokens_decoder": {str(len(tokens) + 1): {"content": "<|begin|>", **flags},
                                 str(len(tokens) + 3): {"content": "<|end|>", **flags}}})
    path = folder("tekken-file", "PreTrainedTokenizerFast")
    special = [{"rank": i, "token_str": t, "is_control": True} for i, t in enumerate(["<unk>", "<s>", "</s>", "[INST]"])]
    write_json(path / "tekken.json", {
        "config": {"pattern": TEKKEN, "num_vocab_tokens": len(tokens), "default_vocab_size": 20000,
                   "default_num_special_tokens": 10, "version": "v7"},
        "special_tokens": special,
        "vocab": [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None}
                  for i, t in enumerate(tokens)]})
    path = folder("bert-list", "BertTokenizer")
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *".,!?'-", *("##" + c for c in letters), "the",
             "##ing", "whale"]
    (path / "vocab.txt").write_text("\n".join(words) + "\n")
    return [p.name for p in out.iterdir()]


def convert(out, name):
    from transformers import AutoTokenizer
    auto = AutoTokenizer.from_pretrained(out / name / "source")
    (out / name / "tokenizer.json").write_text(auto.backend_tokenizer.to_str(), encoding="utf-8")


def difference(folder, expected, lines):
    from transformers import AutoTokenizer
    got, want = AutoTokenizer.from_pretrained(folder), Tokenizer.from_file(expected)
    for line in lines:
        a = got(line, add_special_tokens=False).input_ids
        b = want.encode(line, add_special_tokens=False).ids
        if a != b:
            return f"{folder}: {line!r}: {a} where {b} was expected"
    return None


def reopen(text_file, *folders):
    lines = (SCRIPTS + pathlib.Path(text_file).read_text(encoding="utf-8")[:20000]).split("\n")
    found = [difference(*pair, lines) for pair in zip(folders[::2], folders[1::2])]
    print("\n".join(filter(None, found)) or "equal")


def main():
    if sys.argv[1] == "--reopen":
        return reopen(*sys.argv[2:])
    out, text_file, shared = (pathlib.Path(argument) for argument in sys.argv[1:])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    names = sources(out, text_file, shared)
    for name in names:
        convert(out, name)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((out / "spm-t5/source/spiece.model").read_bytes())
    whole = text_file.read_text(encoding="utf-8")
    text = [line for i in range(0, len(whole), 4000) for line in (whole[i:i + 4000], SCRIPTS)][:120]
    for name, tokenizer in trained(text, proto.normalizer_spec.precompiled_charsmap).items():
        (out / name).mkdir()
        tokenizer.save(str(out / name / "tokenizer.json"))
    print(json.dumps({"sources": sorted(names), "all": sorted(p.name for p in out.iterdir())}))


if __name__ == "__main__":
    main()
