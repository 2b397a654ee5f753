"""GGUF files of ours, opened by what they are written for: the gguf package reads every file (values against the
model's own), and llama.cpp (llama-cpp-python, in a virtual environment of its own) gives our token ids, our
greedy completion, an adapter's too; of a random model of each family it gives transformers' logits.
usage: gguf_check.py PLUMB [LLAMA_PYTHON]       without LLAMA_PYTHON llama.cpp's part is left out, and said so"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import gguf
import numpy as np
import peft
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

PLUMB = sys.argv[1]
LLAMA = sys.argv[2] if len(sys.argv) > 2 else None
HERE = os.path.dirname(os.path.abspath(__file__))
STORIES = "../shared/models/stories260K"
TOKENIZERS = "../shared/data/tokenizer"
FIXTURES = "tests/oracle/fixtures/gguf"
failures = []

# Half a step of each format and the rounding of its scale, relative to the largest value of a tensor; q4_0 cuts the
# value opposite to the largest by a whole step.
ERRORS = {"f32": 0, "f16": 2**-11, "bf16": 2**-8, "q8_0": 0.5 / 127 + 2**-11, "q4_0": 1 / 8 + 2**-11}


def plumb(*words):
    done = subprocess.run([PLUMB, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"plumb {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout) if "--json" in words else done.stdout


def check(name, got, want):
    passed = got == want
    print(f"{'ok  ' if passed else 'FAIL'} {name}")
    if not passed:
        print(f"  got  {got!r}"[:2000] + f"\n  want {want!r}"[:2000])
        failures.append(name)


def llama(path, **questions):
    """Answers of llama.cpp on a model file: see llama_answers.py."""
    done = subprocess.run([LLAMA, f"{HERE}/llama_answers.py", path], input=json.dumps(questions), capture_output=True,
                          text=True)
    if done.returncode != 0:
        return {"error": done.stderr[-2000:]}
    return json.loads(done.stdout)


def check_values(path, model, dtype):
    """Through the gguf package: names, shapes, metadata and values of a Llama file."""
    reader = gguf.GGUFReader(path)
    ours = {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    config = AutoConfig.from_pretrained(model)
    weights = load_file(f"{model}/model.safetensors")
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    names = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output", "q_proj": "attn_q",
             "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate",
             "up_proj": "ffn_up", "down_proj": "ffn_down", "input_layernorm": "attn_norm",
             "post_attention_layernorm": "ffn_norm"}
    worst, seen = 0, set()
    for name, weight in weights.items():
        parts = name.split(".")
        layer = f"blk.{parts[2]}." if "layers" in parts else ""
        weight = weight.float().numpy()
        if parts[-2] in heads:  # transformers turns halves, llama.cpp neighbours
            weight = weight.reshape(heads[parts[-2]], 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)
        target = layer + names[parts[-2]] + ".weight"
        seen.add(target)
        worst = max(worst, np.abs(ours[target].reshape(weight.shape) - weight).max() / np.abs(weight).max())
    check(f"{dtype}: gguf package, tensors {len(seen)}, largest error {worst:.2e} of {ERRORS[dtype]:.2e}",
          (set(ours), bool(worst <= ERRORS[dtype])), (seen, True))
    fields = {name: field.contents() for name, field in reader.fields.items()}
    check(f"{dtype}: metadata", (fields["general.architecture"], fields["llama.block_count"],
                                 fields["tokenizer.ggml.model"], len(fields["tokenizer.ggml.tokens"])),
          ("llama", config.num_hidden_layers, "llama", config.vocab_size))


TEXTS = ["Once upon a time", " Hello  world\n\tTabs", "naïve café — 東京 🦙", "3.14159 and 2,718 don't I'LL we've",
         "def f(x):\n    return x ** 2  # ok\r\n", "    \n\n  x", "a" * 50, "Привет, мир! ١٢٣ ½"]


def stories(work):
    ours = {prompt: plumb("generate", STORIES, "--prompt", prompt, "--greedy", "--max-new-tokens", 60, "--json")
            ["completions"][0]["ids"] for prompt in ("Once upon a time", "The big dog")}
    ids = {text: plumb("tokenize", STORIES, text, "--json")["ids"] for text in TEXTS}
    for dtype in ("f32", "f16", "bf16", "q8_0", "q4_0"):
        path = f"{work}/stories-{dtype}.gguf"
        plumb("export", STORIES, "--format", "gguf", "--dtype", dtype, "--out", path)
        check_values(path, STORIES, dtype)
        if not LLAMA:
            continue
        answers = llama(path, tokenize=TEXTS, generate=list(ours), tokens=60)
        check(f"{dtype}: llama.cpp's ids", answers.get("ids", answers), [ids[text] for text in TEXTS])
        if dtype == "q4_0":  # rounds too coarsely for the same words
            check("q4_0: llama.cpp generates", [len(made) for made in answers["made"]], [60, 60])
        else:
            check(f"{dtype}: llama.cpp's greedy completion", answers.get("made"), list(ours.values()))


def random_adapter(model, folder):
    """Saves a LoRA with random B on every linear of a model -> the model with it, as PEFT has it."""
    torch.manual_seed(3)
    two_stacks = AutoConfig.from_pretrained(model).is_encoder_decoder
    kind = AutoModelForSeq2SeqLM if two_stacks else AutoModelForCausalLM
    base = kind.from_pretrained(model, dtype=torch.float32, attn_implementation="eager")
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear",
                                                        task_type="SEQ_2_SEQ_LM" if two_stacks else "CAUSAL_LM"))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.1 * torch.randn(weight.shape))
    adapted.save_pretrained(folder)
    return adapted.eval()


def adapter(work):
    folder, lora, merged = f"{work}/adapter", f"{work}/lora.gguf", f"{work}/merged.gguf"
    random_adapter(STORIES, folder)
    prompt = "Once upon a time"
    base = plumb("generate", STORIES, "--prompt", prompt, "--greedy", "--max-new-tokens", 40, "--json")
    ours = plumb("generate", STORIES, "--adapter", folder, "--prompt", prompt, "--greedy", "--max-new-tokens", 40,
                 "--json")["completions"][0]["ids"]
    check("adapter: changes the completion", ours != base["completions"][0]["ids"], True)
    plumb("export", folder, "--base", STORIES, "--format", "gguf", "--out", lora)
    plumb("export", STORIES, "--adapter", folder, "--format", "gguf", "--out", merged)
    if LLAMA:
        answers = llama(f"{work}/stories-f32.gguf", generate=[prompt], tokens=40, lora=lora)
        check("adapter: llama.cpp's greedy completion with its LoRA", answers.get("made", answers), [ours])
        answers = llama(merged, generate=[prompt], tokens=40)
        check("adapter merged: llama.cpp's greedy completion", answers.get("made", answers), [ours])


def tiny_model(folder, kind, vocab, **options):
    torch.manual_seed(5)
    config = AutoConfig.for_model(kind, vocab_size=vocab, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                                  num_attention_heads=4, max_position_embeddings=256, tie_word_embeddings=True,
                                  bos_token_id=1, eos_token_id=2, pad_token_id=0, **options)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def vocabularies(work):
    """Real tokenizers on a small random model: llama.cpp's ids against the tokenizers package's."""
    for name in ("smollm2", "phi-3", "falcon"):
        source = f"{TOKENIZERS}/{name}/tokenizer.json"
        tokenizer = Tokenizer.from_file(source)
        folder, path = f"{work}/{name}", f"{work}/{name}.gguf"
        size = -(-(max(tokenizer.get_vocab().values()) + 1) // 64) * 64
        tiny_model(folder, "llama", size)
        for file in os.listdir(f"{TOKENIZERS}/{name}"):
            if file.startswith("tokenizer"):
                shutil.copyfile(f"{TOKENIZERS}/{name}/{file}", f"{folder}/{file}")
        plumb("export", folder, "--format", "gguf", "--dtype", "q8_0", "--out", path)
        if LLAMA:
            cases = open(f"{TOKENIZERS}/llama.cpp-cases/ggml-vocab-falcon.gguf.inp").read().split(
                "\n__ggml_vocab_test__\n")
            texts = TEXTS + [case for case in cases if case]
            answers = llama(path, tokenize=texts)
            config = f"{folder}/tokenizer_config.json"
            adds_bos = os.path.exists(config) and json.load(open(config)).get("add_bos_token", False)
            first = [tokenizer.token_to_id("<s>")] if adds_bos else []
            want = [first + tokenizer.encode(text).ids for text in texts]
            check(f"vocabulary of {name}: llama.cpp's ids of {len(texts)} texts", answers.get("ids", answers), want)


def small_tokenizer():
    """Forty tokens of byte-level BPE, for the fixtures' models."""
    tokens = ["<pad>", "<s>", "</s>", *"abcdefghijklmnopqrstuvwxyz", *".,!?-'", "\u0120", "\u010a", "ab", "cd", "\u0120a"]
    special = [{"id": id_, "content": tokens[id_], "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True} for id_ in range(3)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {"version": "1.0", "added_tokens": special, "normalizer": None, "pre_tokenizer": byte_level,
            "post_processor": None, "decoder": byte_level,
            "model": {"type": "BPE", "vocab": {token: id_ for id_, token in enumerate(tokens)},
                      "merges": [["a", "b"], ["c", "d"], ["\u0120", "a"]]}}


# Of llama.cpp's logits from transformers', relative to the largest: its GELU is a table in f16.
LOGIT_ERRORS = dict.fromkeys(("falcon_7b", "falcon_40b", "gpt2", "gpt_neox", "gemma", "gemma2"), 2e-3)


def check_logits(name, answers, want, bound):
    if "error" in answers:
        return check(f"{name}: llama.cpp opens it", answers, None)
    got, want = torch.tensor(answers["logits"], dtype=torch.float64), want.double()
    error = ((got - want).abs().max() / want.abs().max()).item()
    check(f"{name}, largest error {error:.1e} of {bound:.0e}", error <= bound, True)


def families(work):
    """The fixtures' random model of each family, and an adapter on all its linears: llama.cpp's logits against those of
    transformers and PEFT."""
    ids = [1, 5, 9, 33, 12, 7, 38, 4, 20, 11, 17, 30]
    for number, name in enumerate(sorted(os.listdir(FIXTURES))):
        if not os.path.isdir(f"{FIXTURES}/{name}") or name.startswith("t5"):
            continue
        # Numbered, not named: the folder becomes general.name, and of a "phi3" llama.cpp wants the tokens of Phi-3's own
        # vocabulary.
        folder, path = f"{work}/family-{number}", f"{work}/family-{number}.gguf"
        shutil.copytree(f"{FIXTURES}/{name}", folder)
        json.dump(small_tokenizer(), open(f"{folder}/tokenizer.json", "w"))
        json.dump({"bos_token": "<s>", "eos_token": "</s>"}, open(f"{folder}/tokenizer_config.json", "w"))
        plumb("export", folder, "--format", "gguf", "--out", path)
        adapter, lora = f"{work}/adapter-{name}", f"{work}/adapter-{name}.gguf"
        adapted = random_adapter(folder, adapter)
        plumb("export", adapter, "--base", folder, "--format", "gguf", "--out", lora)
        if not LLAMA:
            continue
        bound = LOGIT_ERRORS.get(name, 1e-4)
        with adapted.disable_adapter():
            base = adapted(torch.tensor([ids])).logits[0]
        check_logits(f"{name}: llama.cpp's logits", llama(path, logits=ids), base, bound)
        felt = adapted(torch.tensor([ids])).logits[0]
        check(f"{name}: the adapter is felt", bool((felt - base).abs().max() > 10 * bound * base.abs().max()), True)
        check_logits(f"{name}: with a LoRA on every linear", llama(path, logits=ids, lora=lora), felt, bound)


def unigram_tokenizer():
    """Forty pieces, as T5's tokenizer.json has them."""
    pieces = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    pieces += [[piece, -2.0 - 0.1 * i] for i, piece in enumerate(["\u2581", *"abcdefghijklmnopqrstuvwxyz", "\u2581a", "ab",
                                                                "the", "\u2581the", ".", ",", "ing", "er", "on", "!"])]
    special = [{"id": id_, "content": pieces[id_][0], "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True} for id_ in range(3)]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    template = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}},
                                                         {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}}
    return {"version": "1.0", "added_tokens": special, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
            "post_processor": template, "decoder": metaspace,
            "model": {"type": "Unigram", "unk_id": 2, "vocab": pieces, "byte_fallback": False}}


def text_to_text(work):
    """T5: llama.cpp's ids of a text against the tokenizers package's, and its logits against transformers'."""
    texts = ["the bang", "a   theer on,", "abing the thing!"]
    for name in ("t5", "t5_v1_1"):
        folder, path = f"{work}/{name}", f"{work}/{name}.gguf"
        shutil.copytree(f"{FIXTURES}/{name}", folder)
        json.dump(unigram_tokenizer(), open(f"{folder}/tokenizer.json", "w"))
        json.dump({"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
                  open(f"{folder}/tokenizer_config.json", "w"))
        plumb("export", folder, "--format", "gguf", "--out", path)
        adapter, lora = f"{work}/adapter-{name}", f"{work}/adapter-{name}.gguf"
        adapted = random_adapter(folder, adapter)
        plumb("export", adapter, "--base", folder, "--format", "gguf", "--out", lora)
        if not LLAMA:
            continue
        tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        answers = llama(path, tokenize=texts)
        check(f"{name}: llama.cpp's ids", answers.get("ids", answers), [tokenizer.encode(text).ids for text in texts])
        source, target = [5, 9, 33, 12, 7, 38, 4, 20, 1], [0, 11, 17, 30, 8]
        logits = lambda: adapted(torch.tensor([source]), decoder_input_ids=torch.tensor([target])).logits[0]
        with adapted.disable_adapter():
            base = logits()
        check_logits(f"{name}: llama.cpp's logits", llama(path, encode=source, logits=target), base, 2e-3)
        felt = logits()
        check(f"{name}: the adapter is felt", bool((felt - base).abs().max() > 0.02 * base.abs().max()), True)
        check_logits(f"{name}: with a LoRA on every linear", llama(path, encode=source, logits=target, lora=lora), felt, 2e-3)


with tempfile.TemporaryDirectory() as work, torch.no_grad():
    if not os.path.isdir(STORIES):
        print("skipped: ../shared is not here")
        sys.exit(77)
    stories(work)
    adapter(work)
    vocabularies(work)
    families(work)
    text_to_text(work)
if not LLAMA:
    print("left out: llama.cpp is not installed (./bootstrap.sh llama_cpp)")
sys.exit(f"{len(failures)} checks failed: {', '.join(failures)}" if failures else 0)
