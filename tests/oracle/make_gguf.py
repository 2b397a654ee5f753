"""Expected GGUF files, by ggml's own quantiser, the gguf package and llama.cpp's converter.

    python tests/oracle/make_gguf.py LLAMA_CPP_SOURCE LLAMA_CPP_LIB

LLAMA_CPP_SOURCE: llama.cpp as llama-cpp-python 0.3.36's source package holds it (vendor/llama.cpp);
LLAMA_CPP_LIB: folder of its libggml-base.so. Writes tests/oracle/fixtures/gguf/:
  blocks.safetensors     values and their blocks; quantised by ggml, and found equal to the gguf package's
  values.gguf            one metadata value of each type, written by the gguf package
  <family>/adapter/      for some a LoRA adapter by PEFT, and what convert_lora_to_gguf.py made of it as f32
  <family>/              a tiny random model and expected.gguf, which convert_hf_to_gguf.py made of it as q8_0
                         (without a vocabulary: its converter knows only published tokenizers)
"""
import ctypes
import json
import os
import shutil
import subprocess
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["NO_LOCAL_GGUF"] = "1"
SOURCE, LIBRARY = sys.argv[1:3]
sys.path[:0] = [f"{SOURCE}/gguf-py", SOURCE]
import gguf
import numpy as np
import peft
import torch
import transformers
from conversion import base, get_model_class
from safetensors.numpy import save_file
from safetensors.torch import load_file as load_torch_file, save_file as save_torch_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

OUT = os.path.join(os.path.dirname(__file__), "fixtures", "gguf")
VERSIONS = {"llama.cpp": "llama-cpp-python 0.3.36", "torch": torch.__version__, "peft": peft.__version__, "transformers": transformers.__version__}
TYPES = {"f16": gguf.GGMLQuantizationType.F16, "bf16": gguf.GGMLQuantizationType.BF16,
         "q8_0": gguf.GGMLQuantizationType.Q8_0, "q4_0": gguf.GGMLQuantizationType.Q4_0}
BLOCK = 32


def values():
    """Blocks of 32: ordinary weights, wide ranges, halves that tie, f16 subnormals, zeros, signs."""
    random = np.random.default_rng(5)
    rows = [random.standard_normal((24, BLOCK)) * scale for scale in (1, 0.02, 300)]
    rows.append(random.standard_normal((16, BLOCK)) * 10.0 ** random.uniform(-9, 4, (16, BLOCK)))
    rows.append(np.arange(-16, 16)[None] / 2 * np.ones((4, 1)))  # q4_0: ties at every step
    rows.append(np.round(random.uniform(-127, 127, (16, BLOCK)) * 2) / 2)
    rows[-1][:, 0] = 127
    rows.append(random.integers(-3000, 3000, (16, BLOCK)) * 2.0**-25)  # f16: subnormal, half ties
    rows.append((2048 + random.integers(0, 2048, (16, BLOCK)) * 0.5))  # f16: ties in the last bit
    rows.append(np.zeros((1, BLOCK)))
    rows.append(-np.abs(random.standard_normal((4, BLOCK))))
    return np.concatenate(rows).astype(np.float32)


def by_ggml(library, x, type_):
    rows, width = x.shape
    block, size = gguf.GGML_QUANT_SIZES[type_]
    out = np.zeros((rows, width // block * size), np.uint8)
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    written = library.ggml_quantize_chunk(
        ctypes.c_int(type_), x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_int64(0), ctypes.c_int64(rows), ctypes.c_int64(width), None)
    assert written == out.size, (type_, written, out.size)
    return out


def make_blocks():
    library = ctypes.CDLL(f"{LIBRARY}/libggml-base.so")
    x = values()
    tensors = {"values": x}
    for name, type_ in TYPES.items():
        blocks = by_ggml(library, x, type_)
        package = gguf.quants.quantize(x, type_)
        assert np.array_equal(blocks, package.view(np.uint8).reshape(blocks.shape)), name
        tensors[name] = blocks
        if BLOCK == gguf.GGML_QUANT_SIZES[type_][0]:
            tensors[name + ".decoded"] = gguf.quants.dequantize(package, type_).astype(np.float32)
    save_file(tensors, f"{OUT}/blocks.safetensors", metadata=VERSIONS)


def make_values():
    writer = gguf.GGUFWriter(f"{OUT}/values.gguf", "llama")
    writer.add_uint8("a.u8", 200)
    writer.add_int8("a.i8", -100)
    writer.add_uint16("a.u16", 60000)
    writer.add_int16("a.i16", -30000)
    writer.add_uint32("a.u32", 4000000000)
    writer.add_int32("a.i32", -2000000000)
    writer.add_float32("a.f32", 0.5)
    writer.add_bool("a.bool", True)
    writer.add_string("a.string", "naïve ▁")
    writer.add_uint64("a.u64", 2**63)
    writer.add_int64("a.i64", -(2**62))
    writer.add_float64("a.f64", 0.1)
    writer.add_array("a.strings", ["", "b", "▁c"])
    writer.add_array("a.i32s", [1, -2, 3])
    writer.add_array("a.f32s", [1.5, -2.5])
    writer.add_key_value("a.bytes", b"\x00\xff\x10", gguf.GGUFValueType.ARRAY, sub_type=gguf.GGUFValueType.UINT8)
    writer.add_tensor("matrix", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("half", np.arange(5, dtype=np.float16))
    writer.add_tensor("quants", gguf.quants.quantize(values()[:4], TYPES["q8_0"]), raw_dtype=TYPES["q8_0"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


SMALL = dict(vocab_size=40, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=None)
GPT2 = dict(vocab_size=40, n_embd=32, n_layer=2, n_head=4, n_positions=64, n_ctx=64, bos_token_id=1, eos_token_id=2)
NEOX = {**{key: value for key, value in SMALL.items() if key != "num_key_value_heads"}, "use_parallel_residual": True,
        "rotary_pct": 0.5}
FALCON = dict(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, bias=False, alibi=False,
              parallel_attn=True, bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=8192)  # the converter takes no other
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32)
FAMILIES = {
    "llama": ("llama", {**SMALL, "tie_word_embeddings": False, "rope_parameters": LLAMA3}),
    "llama_tied": ("llama", {**SMALL, "num_key_value_heads": 4, "tie_word_embeddings": True, "head_dim": 8,
                             "intermediate_size": 48}),
    "mistral": ("mistral", {**SMALL, "sliding_window": None, "head_dim": 32}),
    "falcon_7b": ("falcon", {**FALCON, "multi_query": True, "new_decoder_architecture": False, "num_kv_heads": 1}),
    "falcon_40b": ("falcon", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2}),
    "gpt2": ("gpt2", GPT2),
    "gpt_neox": ("gpt_neox", NEOX),
    "qwen2": ("qwen2", {**SMALL, "tie_word_embeddings": True, "rope_parameters": YARN}),
    "qwen3": ("qwen3", {**SMALL, "head_dim": 32, "tie_word_embeddings": True}),
    "phi3": ("phi3", {**SMALL, "pad_token_id": 0, "original_max_position_embeddings": 64}),
    "gemma": ("gemma", {**SMALL, "head_dim": 16}),
    "gemma2": ("gemma2", {**SMALL, "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 8}),
}


T5 = dict(vocab_size=40, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_decoder_layers=1, num_heads=4, pad_token_id=0,
          eos_token_id=1, decoder_start_token_id=0)
FAMILIES["t5"] = ("t5", {**T5, "feed_forward_proj": "relu", "tie_word_embeddings": True})
FAMILIES["t5_v1_1"] = ("t5", {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False})


def make_model(folder, kind, options):
    config = AutoConfig.for_model(kind, **options)
    torch.manual_seed(11)
    model = (AutoModelForSeq2SeqLM if kind == "t5" else AutoModelForCausalLM).from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape)
            is_norm = "norm" in name or "ln_" in name
            weight.copy_(1 + 0.3 * noise if is_norm and name.endswith("weight") else 0.3 * noise)
    model.to(torch.bfloat16).save_pretrained(folder)
    os.remove(f"{folder}/generation_config.json")
    if options.get("feed_forward_proj") == "gated-gelu":
        untie_t5(folder)


def untie_t5(folder):
    """As T5 v1.1 is published: a head of its own, and a config that says so in the words of transformers 4."""
    path, config = f"{folder}/model.safetensors", json.load(open(f"{folder}/config.json"))
    tensors = load_torch_file(path)
    tensors["lm_head.weight"] = (0.3 * torch.randn(tensors["shared.weight"].shape)).to(torch.bfloat16)
    save_torch_file(tensors, path, metadata={"format": "pt"})
    del config["scale_decoder_outputs"]
    json.dump({**config, "tie_word_embeddings": False}, open(f"{folder}/config.json", "w"), indent=2, sort_keys=True)


def convert(folder):
    from pathlib import Path
    hparams = base.ModelBase.load_hparams(Path(folder), False)
    rope = hparams.get("rope_parameters") or {}
    hparams.setdefault("rotary_pct", rope.get("partial_rotary_factor"))  # as transformers 4 wrote it
    kind = get_model_class(base.get_model_architecture(hparams, base.ModelType.TEXT))
    kind.set_vocab = lambda self: None
    out = Path(folder) / "expected.gguf"
    kind(Path(folder), gguf.LlamaFileType.MOSTLY_Q8_0, out, hparams=hparams, model_name=os.path.basename(folder)).write()


# Not GPT-2: convert_lora_to_gguf.py turns its matrices as it does the base's, and llama.cpp then refuses them.
ADAPTERS = {"llama": dict(target_modules="all-linear"), "gpt_neox": dict(target_modules=["query_key_value"])}


def make_adapter(folder, options):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=6, task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.1 * torch.randn(weight.shape))
    model.save_pretrained(f"{folder}/adapter")
    config_path = f"{folder}/adapter/adapter_config.json"
    config = json.load(open(config_path))
    json.dump({**config, "base_model_name_or_path": "base"}, open(config_path, "w"), indent=1, sort_keys=True)
    if os.path.exists(f"{folder}/adapter/README.md"):
        os.remove(f"{folder}/adapter/README.md")
    subprocess.run([sys.executable, f"{SOURCE}/convert_lora_to_gguf.py", "--base", folder, "--outtype", "f32",
                    "--outfile", f"{folder}/adapter/expected.gguf", f"{folder}/adapter"], check=True,
                   env={**os.environ, "PYTHONPATH": f"{SOURCE}/gguf-py:{SOURCE}"})


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    make_blocks()
    make_values()
    for name, (kind, options) in FAMILIES.items():
        make_model(f"{OUT}/{name}", kind, options)
        convert(f"{OUT}/{name}")
        if name in ADAPTERS:
            make_adapter(f"{OUT}/{name}", ADAPTERS[name])
    json.dump(VERSIONS, open(f"{OUT}/versions.json", "w"), indent=1)


main()
