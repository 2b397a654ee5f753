"""Scores, losses and gradients of a tiny reward model from transformers and TRL's own compute_loss.
usage: make_reward.py   (writes tests/oracle/fixtures/reward/)"""
import json, os, types
import torch, transformers, trl
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForSequenceClassification

out = os.path.join(os.path.dirname(__file__), "fixtures", "reward")
torch.manual_seed(7)
config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=2, max_position_embeddings=64, num_labels=1, pad_token_id=0, bos_token_id=1,
                     eos_token_id=2, tie_word_embeddings=False)
model = LlamaForSequenceClassification(config)
for p in model.parameters():
    if p.dim() > 1:
        torch.nn.init.normal_(p, std=0.2)
model.save_pretrained(os.path.join(out, "model"))
model = model.double()

lengths = [5, 9, 3, 7, 12, 4]  # chosen of pairs 0..2, then rejected: TRL's order
sequences = [torch.randint(3, 64, (n,)) for n in lengths]
T = max(lengths)
ids = torch.zeros(len(lengths), T, dtype=torch.long)
keep = torch.zeros(len(lengths), T, dtype=torch.long)
for i, s in enumerate(sequences):
    ids[i, : len(s)], keep[i, : len(s)] = s, 1
margin = torch.tensor([0.0, 0.5, 1.5], dtype=torch.double)

class Stub:
    gather = staticmethod(lambda x: x)
    gather_for_metrics = staticmethod(lambda x: x)

def trl_loss(center, with_margin):
    inputs = {"input_ids": ids, "attention_mask": keep}
    if with_margin:
        inputs["margin"] = margin
    me = types.SimpleNamespace(model=types.SimpleNamespace(training=False), accelerator=Stub,
                               args=types.SimpleNamespace(center_rewards_coefficient=center), _total_train_tokens=0,
                               _metrics={"eval": __import__("collections").defaultdict(list)})
    call = lambda **kw: model(**{k: v for k, v in kw.items() if k != "margin"})
    return trl.RewardTrainer.compute_loss(me, call, inputs), me._metrics["eval"]

tensors = {f"sequence.{i}": s for i, s in enumerate(sequences)}
tensors["margin"] = margin
with torch.no_grad():
    tensors["scores"] = model(input_ids=ids, attention_mask=keep).logits.squeeze(-1).clone()
meta = {"transformers": transformers.__version__, "trl": trl.__version__, "torch": torch.__version__}
for name, center, with_margin in (("plain", None, False), ("margin", None, True), ("centred", 0.01, True)):
    model.zero_grad()
    loss, metrics = trl_loss(center, with_margin)
    loss.backward()
    tensors[f"{name}.loss"] = loss.detach().reshape(1)
    tensors[f"{name}.grad_score"] = model.score.weight.grad.clone()
    tensors[f"{name}.grad_q"] = model.model.layers[0].self_attn.q_proj.weight.grad.clone()
    tensors[f"{name}.grad_embed"] = model.model.embed_tokens.weight.grad.clone()
    meta[name] = json.dumps({"accuracy": metrics["accuracy"][0], "margin": metrics["margin"][0], "mean_reward": metrics["mean_reward"][0]})
save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(out, "expected.safetensors"), meta)
