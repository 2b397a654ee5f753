"""Small random models of every family, by transformers, and what they compute; then what Plumb wrote of them,
opened again.

    python tests/oracle/make_families.py make FOLDER      (before tests/families)
    python tests/oracle/make_families.py check FOLDER     (after it)

`make` writes FOLDER/<variant>/: model/ and old/ (as older files hold it) for the loader, adapter/ by PEFT, and
expected.safetensors: logits, loss, gradients, greedy ids and LoRA logits in float64, the reward's score. `check`
opens saved/, merged/, classifier/ and adapter_saved/, which the C++ test writes beside them. A new family adds
its variants to VARIANTS.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import peft
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM,
                          AutoModelForSequenceClassification)

VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
LENGTHS = [23, 1, 9]
SOURCES = [11, 1, 4]  # of them, tokens that a text-to-text model's encoder reads
NEW_TOKENS = 12
VOCAB = 300
EOS, BOS, PAD = 0, 1, 2
TOLERANCE = 1e-4

SMALL = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD)
FALCON = {key: value for key, value in SMALL.items() if key not in ("intermediate_size", "num_key_value_heads")}
NEOX = {key: value for key, value in SMALL.items() if key != "num_key_value_heads"}
GPT2 = dict(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=BOS, eos_token_id=EOS,
            pad_token_id=PAD)

T5 = dict(vocab_size=VOCAB, d_model=32, d_kv=16, d_ff=40, num_layers=2, num_heads=3,
          relative_attention_num_buckets=8, relative_attention_max_distance=20, decoder_start_token_id=PAD,
          eos_token_id=EOS, pad_token_id=PAD)


def rope(**parameters):
    return {"rope_parameters": {"rope_theta": 500.0, **parameters}}


# variant: (model_type, config). Windows are shorter than the first sequence, caps small enough to bend, and every
# rope scaling is asked for positions beyond its original length.
VARIANTS = {
    "llama": ("llama", {**SMALL, "head_dim": 16}),
    "llama_biased": ("llama", {**SMALL, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True,
                               "hidden_act": "gelu"}),
    "llama_linear": ("llama", {**SMALL, **rope(rope_type="linear", factor=3.0)}),
    "llama_dynamic": ("llama", {**SMALL, "max_position_embeddings": 16, **rope(rope_type="dynamic", factor=3.0)}),
    "llama_llama3": ("llama", {**SMALL, **rope(rope_type="llama3", factor=8.0, low_freq_factor=1.0,
                                               high_freq_factor=4.0, original_max_position_embeddings=16)}),
    "llama_yarn": ("llama", {**SMALL, **rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=16)}),
    "llama_yarn_scales": ("llama", {**SMALL, **rope(rope_type="yarn", factor=4.0, beta_fast=8, beta_slow=2,
                                                    original_max_position_embeddings=16, mscale=0.7,
                                                    mscale_all_dim=0.4, truncate=False)}),
    "mistral": ("mistral", {**SMALL, "sliding_window": 5, "head_dim": 16}),
    "falcon_7b": ("falcon", {**FALCON, "multi_query": True, "parallel_attn": True}),
    "falcon_40b": ("falcon", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2, "bias": True,
                              "tie_word_embeddings": False}),
    "falcon_11b": ("falcon", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2,
                              "num_ln_in_parallel_attn": 1, "ffn_hidden_size": 48}),
    "falcon_rw": ("falcon", {**FALCON, "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True}),
    "falcon_rw_6_heads": ("falcon", {**FALCON, "hidden_size": 48, "num_attention_heads": 6, "alibi": True,
                                     "multi_query": False, "parallel_attn": True, "bias": True}),
    "gpt2": ("gpt2", GPT2),
    "gpt2_unscaled": ("gpt2", {**GPT2, "scale_attn_weights": False, "n_inner": 40, "activation_function": "relu",
                               "tie_word_embeddings": False}),
    "gpt_neox": ("gpt_neox", {**NEOX, "num_attention_heads": 2, "rope_parameters": {
        "rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.25}}),
    "gpt_neox_sequential": ("gpt_neox", {**NEOX, "use_parallel_residual": False, "attention_bias": False,
                                         "hidden_act": "gelu_new", "rope_parameters": {
                                             "rope_type": "linear", "factor": 2.0, "rope_theta": 500.0,
                                             "partial_rotary_factor": 0.5}}),
    "qwen2": ("qwen2", {**SMALL, "tie_word_embeddings": True}),
    "qwen2_window": ("qwen2", {**SMALL, "num_hidden_layers": 3, "use_sliding_window": True, "sliding_window": 6,
                               "max_window_layers": 1}),
    "qwen3": ("qwen3", {**SMALL, "head_dim": 16, "attention_bias": True}),
    "phi3": ("phi3", {**SMALL, "sliding_window": 7, "rope_parameters": {
        "rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5}}),
    "gemma2": ("gemma2", {**SMALL, "num_hidden_layers": 3, "head_dim": 16, "sliding_window": 4,
                          "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0,
                          "query_pre_attn_scalar": 10}),
    "gemma": ("gemma", {**SMALL, "head_dim": 16, "hidden_act": "gelu"}),
    "t5": ("t5", T5),
    "t5_v1_1": ("t5", {**T5, "num_layers": 3, "num_decoder_layers": 2, "feed_forward_proj": "gated-gelu",
                       "tie_word_embeddings": False}),
}


def attention_of(model_type):
    """Gemma 2's cap is left out by sdpa; Falcon's ALiBi is added twice by eager."""
    return "sdpa" if model_type == "falcon" else "eager"


def make_model(model_type, values, seed):
    torch.manual_seed(seed)
    config = AutoConfig.for_model(model_type, **values)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = kind.from_config(config, dtype=torch.float32, attn_implementation=attention_of(model_type))
    if values.get("tie_word_embeddings") is False and model_type == "t5":
        # transformers 5 ties it even so; files with two tensors it leaves as two.
        model.lm_head.weight = torch.nn.Parameter(torch.empty(VOCAB, model.config.d_model))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape)
            is_norm = weight.dim() == 1 and name.endswith("weight")
            if is_norm:
                weight.copy_((0.0 if model_type.startswith("gemma") else 1.0) + 0.3 * noise)
            else:
                weight.copy_((0.3 if weight.dim() == 1 else 1.2 * weight.shape[-1] ** -0.5) * noise)
    if model_type == "t5":
        with torch.no_grad():
            # Its scores are not divided by a root; transformers too makes q smaller instead.
            for name, weight in model.named_parameters():
                if name.endswith("Attention.q.weight"):
                    weight.mul_(config.d_kv ** -0.5)
    return model.eval()


def sequences(seed):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda: torch.randint(3, VOCAB, (sum(LENGTHS),), generator=generator)
    return draw(), draw()


def text_to_text_logits(model, part, source):
    """Rows as Plumb has them: the source's last predicts the target's first; earlier ones have no state."""
    start = torch.tensor([model.config.decoder_start_token_id])
    decoded = model(input_ids=part[None, :source], decoder_input_ids=torch.cat([start, part[source:]])[None],
                    use_cache=False).logits[0]
    return torch.cat([torch.zeros(source - 1, decoded.shape[1], dtype=decoded.dtype), decoded])


def logits_of(model, tokens):
    if model.config.is_encoder_decoder:
        return torch.cat([text_to_text_logits(model, *one) for one in zip(tokens.split(LENGTHS), SOURCES)])
    return torch.cat([model(input_ids=part[None], use_cache=False).logits[0] for part in tokens.split(LENGTHS)])


def greedy(model, prompt):
    model.generation_config.eos_token_id = None
    ids = model.generate(prompt[None], attention_mask=torch.ones_like(prompt)[None], do_sample=False,
                         max_new_tokens=NEW_TOKENS, pad_token_id=PAD, use_cache=True)
    model.generation_config.eos_token_id = EOS
    return ids[0, 1 if model.config.is_encoder_decoder else len(prompt):]


TEXTS = ["the quick brown fox jumps over the lazy dog. good question! yes, no. "] * 4
SPECIAL = ["<eos>", "<bos>", "<pad>"]


def byte_level_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def unigram_with_eos():
    """As T5's: a space marked before every word, EOS after every text."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(TEXTS, trainers.UnigramTrainer(
        vocab_size=VOCAB, special_tokens=SPECIAL + ["<unk>"], unk_token="<unk>", show_progress=False,
        initial_alphabet=list("0123456789:")))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", pair="$A <eos> $B <eos>",
                                                             special_tokens=[("<eos>", EOS)])
    return tokenizer


def make_tokenizer(folder, is_text_to_text):
    tokenizer = unigram_with_eos() if is_text_to_text else byte_level_bpe()
    tokenizer.save(f"{folder}/tokenizer.json")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>", "bos_token": "<bos>", "pad_token": "<pad>",
              "chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}"}
    if is_text_to_text:
        config["unk_token"] = "<unk>"
    with open(f"{folder}/tokenizer_config.json", "w") as file:
        json.dump(config, file)


def make_old(model, tensors, folder):
    """Names without the base's, and the buffers that old checkpoints carry."""
    base = model.base_model_prefix + "."
    old = {name.removeprefix(base): tensor for name, tensor in tensors.items()}
    mask = torch.ones(1, 1, 64, 64, dtype=torch.bool).tril()
    if model.config.model_type == "t5":
        for stack in ("encoder", "decoder"):
            old[f"{stack}.embed_tokens.weight"] = old["shared.weight"].clone()
        old["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = torch.ones(8, 3)
    for layer in range(model.config.num_hidden_layers):
        if model.config.model_type == "gpt2":
            old[f"h.{layer}.attn.bias"] = mask.float()
            old[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
        elif model.config.model_type == "gpt_neox":
            old[f"layers.{layer}.attention.bias"] = mask.clone()
            old[f"layers.{layer}.attention.masked_bias"] = torch.tensor(-1e9)
            old[f"layers.{layer}.attention.rotary_emb.inv_freq"] = torch.ones(4)
        elif model.config.model_type in ("llama", "mistral"):
            old[f"layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    os.makedirs(folder, exist_ok=True)
    save_file(old, f"{folder}/model.safetensors", metadata={"format": "pt"})
    model.config.save_pretrained(folder)


def files_of(folder):
    tensors = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            tensors.update(load_file(f"{folder}/{name}"))
    return tensors


def make_base(model, folder, expected, tokens, targets):
    # 60 kB: several shards of every model.
    model.save_pretrained(f"{folder}/model", max_shard_size="60KB")
    with open(f"{folder}/model/generation_config.json") as file:
        generation = json.load(file)
    with open(f"{folder}/model/generation_config.json", "w") as file:
        json.dump({**generation, "do_sample": True, "temperature": 0.7, "top_p": 0.9}, file)
    make_tokenizer(f"{folder}/model", model.config.is_encoder_decoder)
    make_old(model, files_of(f"{folder}/model"), f"{folder}/old")
    expected["greedy"] = greedy(model, tokens[:11])
    model.double().zero_grad()
    logits = logits_of(model, tokens)
    expected["loss_rows"] = torch.tensor(
        [row for row in range(len(tokens)) if not model.config.is_encoder_decoder or logits[row].any()])
    loss = torch.nn.functional.cross_entropy(logits[expected["loss_rows"]], targets[expected["loss_rows"]],
                                             reduction="sum")
    loss.backward()
    expected.update(logits=logits.detach(), loss=loss.detach())
    # Under the names of files, which GPT-NeoX's modules no longer have.
    rename = lambda name: "embed_out.weight" if "neox" in model.config.model_type and name == "lm_head.weight" else name
    expected.update({"grad." + rename(name): weight.grad for name, weight in model.named_parameters()})
    model.float()


def make_labels(model, expected, tokens):
    """Loss and gradients as transformers forms them from labels, of the sequences that have some."""
    model.double().zero_grad()
    loss = 0
    for part, source in zip(tokens.split(LENGTHS), SOURCES):
        if source < len(part):
            count = len(part) - source
            loss = loss + count * model(input_ids=part[None, :source], labels=part[None, source:]).loss
    loss.backward()
    expected["labels_loss"] = loss.detach()
    expected.update({"labels_grad." + name: weight.grad for name, weight in model.named_parameters()})
    model.float()


def make_lora(model, folder, expected, tokens):
    task = "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
    lora = peft.get_peft_model(model, peft.LoraConfig(r=3, lora_alpha=6, target_modules="all-linear",
                                                      task_type=task))
    torch.manual_seed(11)
    with torch.no_grad():
        for name, weight in lora.named_parameters():
            if "lora_" in name:
                weight.copy_(0.2 * torch.randn(weight.shape))
    lora.eval().save_pretrained(f"{folder}/adapter")
    with torch.no_grad():
        expected["lora_logits"] = logits_of(lora.double(), tokens)


def make(out, only):
    for seed, (variant, (model_type, values)) in enumerate(VARIANTS.items()):
        if only and variant not in only:
            continue
        folder = f"{out}/{variant}"
        os.makedirs(folder, exist_ok=True)
        model = make_model(model_type, values, seed)
        tokens, targets = sequences(seed)
        expected = {"tokens": tokens, "targets": targets,
                    "score": torch.randn(1, model.config.hidden_size, generator=torch.Generator().manual_seed(seed))}
        make_base(model, folder, expected, tokens, targets)
        if model.config.is_encoder_decoder:
            make_labels(model, expected, tokens)
        make_lora(model, folder, expected, tokens)
        metadata = {"lengths": json.dumps(LENGTHS), "sources": json.dumps(SOURCES), "versions": json.dumps(VERSIONS),
                    "model_type": model_type}
        save_file({name: tensor.contiguous() for name, tensor in expected.items()}, f"{folder}/expected.safetensors",
                  metadata=metadata)


class Checks:
    def __init__(self):
        self.failed = []

    def close(self, name, got, want):
        difference = (got.double() - want.double()).abs().max().item() / want.double().abs().max().item()
        if not difference <= TOLERANCE:
            self.failed.append(name)
            print(f"FAIL {name}: largest difference {difference:.2e} of the largest value")
        return difference

    def equal(self, name, got, want):
        if got != want:
            self.failed.append(name)
            print(f"FAIL {name}:\n  got  {got}\n  want {want}")


def open_model(folder, kind, **options):
    attention = attention_of(AutoConfig.from_pretrained(folder).model_type)
    return kind.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention, **options).eval()


def open_causal(folder):
    two_stacks = AutoConfig.from_pretrained(folder).is_encoder_decoder
    return open_model(folder, AutoModelForSeq2SeqLM if two_stacks else AutoModelForCausalLM)


def score_of(folder, tokens, score=None):
    model = open_model(folder, AutoModelForSequenceClassification, num_labels=1)
    if score is not None:
        model.score.weight.copy_(score)
    return model(input_ids=tokens[None]).logits[0]


def says_true_tie(key, config):
    """transformers 5 writes T5's tie as true whatever the files hold; Plumb writes what they hold, as 4 reads it."""
    return key == "tie_word_embeddings" and config["model_type"] == "t5"


def check_files(checks, variant, folder):
    """Untouched tensors come back bit for bit, under the same names; keys of configs that we know stay."""
    want, got = files_of(f"{folder}/model"), files_of(f"{folder}/saved")
    checks.equal(f"{variant}: names in files", sorted(got), sorted(want))
    checks.equal(f"{variant}: values in files", [name for name in want if name in got and not torch.equal(got[name], want[name])], [])
    with open(f"{folder}/model/config.json") as one, open(f"{folder}/saved/config.json") as other:
        before, after = json.load(one), json.load(other)
    changed = {key: (value, after.get(key)) for key, value in before.items()
               if after.get(key) != value and key != "rope_parameters" and not says_true_tie(key, before)}
    checks.equal(f"{variant}: keys of config.json", changed, {})
    with open(f"{folder}/saved/generation_config.json") as file:
        generation = json.load(file)
    checks.equal(f"{variant}: generation_config.json", [generation.get("temperature"), generation.get("top_p")], [0.7, 0.9])
    with open(f"{folder}/adapter/adapter_config.json") as one, open(f"{folder}/adapter_saved/adapter_config.json") as other:
        checks.equal(f"{variant}: the adapter's task", json.load(other)["task_type"], json.load(one)["task_type"])


@torch.no_grad()
def check(out):
    checks = Checks()
    for variant in VARIANTS:
        folder = f"{out}/{variant}"
        if not os.path.exists(f"{folder}/expected.safetensors"):
            continue
        expected = load_file(f"{folder}/expected.safetensors")
        tokens = expected["tokens"]
        check_files(checks, variant, folder)
        saved = open_causal(f"{folder}/saved")
        differences = [
            checks.close(f"{variant}: saved model", logits_of(saved, tokens), expected["logits"]),
            checks.close(f"{variant}: merged model", logits_of(open_causal(f"{folder}/merged"), tokens), expected["lora_logits"]),
            checks.close(f"{variant}: saved adapter in PEFT",
                         logits_of(peft.PeftModel.from_pretrained(saved, f"{folder}/adapter_saved").eval(), tokens),
                         expected["lora_logits"])]
        if not saved.config.is_encoder_decoder:
            differences.append(checks.close(f"{variant}: saved classifier", score_of(f"{folder}/classifier", tokens[:23]),
                                            score_of(f"{folder}/model", tokens[:23], expected["score"])))
        # Of a folder without generation_config.json too transformers generates.
        checks.equal(f"{variant}: greedy text of old files saved", greedy(open_causal(f"{folder}/old_saved"), tokens[:11]).tolist(),
                     expected["greedy"].tolist())
        print(f"{variant}: opened again, largest difference {max(differences):.2e} of the largest value")
    if checks.failed:
        sys.exit(f"{len(checks.failed)} checks failed")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("make", "check"):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3:])
    else:
        check(sys.argv[2])
