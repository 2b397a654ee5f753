"""Expected logits, losses and gradients of small Llama models, by transformers and PEFT.

    python tests/oracle/make_decoder.py [path of stories260K]

Writes tests/oracle/fixtures/decoder_*.safetensors. Values are computed in float64 (rotary angles excepted, which
transformers forms in float32 for every type); the error of
the same code in float32 is kept beside it, as the measure of what float32 can be asked for.
"""
import contextlib
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import peft
import torch
import transformers
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

FIXTURES = os.path.join(os.path.dirname(__file__), "fixtures")
VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__,
            "peft": peft.__version__}
LENGTHS = [7, 1, 11]

UNTIED = dict(vocab_size=40, hidden_size=24, intermediate_size=20, num_hidden_layers=2,
              num_attention_heads=4, num_key_value_heads=2, head_dim=8,
              max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=False,
              rope_parameters=dict(rope_type="llama3", rope_theta=500.0, factor=8.0,
                                   low_freq_factor=1.0, high_freq_factor=4.0,
                                   original_max_position_embeddings=32))
TIED = dict(vocab_size=32, hidden_size=16, intermediate_size=28, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=1, head_dim=4,
            max_position_embeddings=32, rms_norm_eps=1e-6, tie_word_embeddings=True,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0))


def make_model(config):
    torch.manual_seed(7)
    model = LlamaForCausalLM(LlamaConfig(attn_implementation="sdpa", dtype="float32", **config))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape)
            weight.copy_(1 + 0.3 * noise if "norm" in name else 0.3 * noise)
    return model.eval()


def make_tokens(vocab):
    generator = torch.Generator().manual_seed(3)
    count = sum(LENGTHS)
    return (torch.randint(0, vocab, (count,), generator=generator),
            torch.randint(0, vocab, (count,), generator=generator))


@contextlib.contextmanager
def norms_in_own_type():
    """LlamaRMSNorm computes in float32 whatever it is given; torch's own rms_norm does not."""
    original = LlamaRMSNorm.forward
    LlamaRMSNorm.forward = lambda self, x: torch.nn.functional.rms_norm(
        x, self.weight.shape, self.weight, self.variance_epsilon)
    yield
    LlamaRMSNorm.forward = original


def run(model, tokens, targets):
    """Logits of each sequence alone, laid end to end; the summed cross-entropy; gradients."""
    model.zero_grad()
    logits = torch.cat([model(input_ids=part[None], use_cache=False).logits[0]
                        for part in tokens.split(LENGTHS)])
    loss = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    loss.backward()
    grads = {name: weight.grad.clone() for name, weight in model.named_parameters()
             if weight.requires_grad}
    return {"logits": logits.detach(), "loss": loss.detach(),
            **{"grad." + name: grad for name, grad in grads.items()}}


def expected(model, tokens, targets):
    """float64 values and, for each, the largest error of the float32 run."""
    single = run(model.float(), tokens, targets)
    with norms_in_own_type():
        double = run(model.double(), tokens, targets)
    model.float()
    errors = {name: (single[name].double() - value).abs().max().item()
              for name, value in double.items()}
    return {name: value.contiguous() for name, value in double.items()}, errors


def save(name, tensors, metadata):
    path = os.path.join(FIXTURES, name + ".safetensors")
    metadata = {key: json.dumps(value) for key, value in metadata.items()}
    save_file(tensors, path, metadata={**metadata, "versions": json.dumps(VERSIONS)})
    print(path, os.path.getsize(path))


def weights_of(model):
    return {"weight." + name: weight.detach().float().clone()
            for name, weight in model.named_parameters()}


def make_base(name, config):
    model = make_model(config)
    tokens, targets = make_tokens(config["vocab_size"])
    values, errors = expected(model, tokens, targets)
    save(name, {**weights_of(model), **values, "tokens": tokens, "targets": targets},
         {"config": json.loads(model.config.to_json_string(use_diff=False)), "errors": errors,
          "lengths": LENGTHS})


def make_lora():
    """All seven linears, rank 3, alpha 6, over the untied model's weights."""
    model = make_model(UNTIED)
    linears = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    lora = peft.get_peft_model(model, peft.LoraConfig(
        r=3, lora_alpha=6, lora_dropout=0.0, target_modules=linears, task_type="CAUSAL_LM"))
    torch.manual_seed(11)
    with torch.no_grad():
        for name, weight in lora.named_parameters():
            if "lora_" in name:
                weight.copy_(0.3 * torch.randn(weight.shape))
    tokens, targets = make_tokens(UNTIED["vocab_size"])
    values, errors = expected(lora, tokens, targets)
    short = lambda name: (name.replace("base_model.model.model.", "")
                          .replace(".default.weight", ""))
    adapter = {"weight." + short(name): weight.detach().float().clone()
               for name, weight in lora.named_parameters() if "lora_" in name}
    save("decoder_lora", {**adapter, **{short(name): value for name, value in values.items()}},
         {"errors": {short(name): error for name, error in errors.items()}, "scale": 2.0})


def make_stories(folder):
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                             attn_implementation="sdpa").eval()
    generator = torch.Generator().manual_seed(5)
    tokens = torch.cat([torch.tensor([1, 403, 407, 261, 378]),
                        torch.randint(3, 512, (15,), generator=generator)])
    with torch.no_grad():
        single = model(input_ids=tokens[None]).logits[0]
        with norms_in_own_type():
            double = model.double()(input_ids=tokens[None]).logits[0]
    save("decoder_stories260K", {"tokens": tokens, "logits": single.contiguous()},
         {"errors": {"logits": (single.double() - double).abs().max().item()}})


if __name__ == "__main__":
    make_base("decoder_untied", UNTIED)
    make_base("decoder_tied", TIED)
    make_lora()
    make_stories(sys.argv[1] if len(sys.argv) > 1 else "../shared/models/stories260K")
