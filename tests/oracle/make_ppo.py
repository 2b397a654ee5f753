"""Expected values for ppo/: the very lines of TRL 1.12.0's PPOTrainer.train, cut out of its source
and run in float64, on small random cases.

    PYTHONPATH=<folder with trl 1.12.0> python tests/oracle/make_ppo.py

Writes tests/oracle/fixtures/ppo.json. Inputs and outputs are ragged: a case lists its response
lengths, and every list runs over its response tokens ("states": TRL's extra position included).
"""

import inspect
import json
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import transformers
import trl
from trl.experimental.ppo import ppo_trainer as trl_ppo

assert trl.__version__ == "1.12.0", trl.__version__
SOURCE = inspect.getsource(trl_ppo.PPOTrainer.train)
GLOBALS = vars(trl_ppo)


def section(first, last):
    """The lines of train() from the one holding `first` to the one holding `last`."""
    lines = SOURCE.splitlines()
    begin = next(i for i, line in enumerate(lines) if first in line)
    end = next(i for i, line in enumerate(lines) if i >= begin and last in line)
    return textwrap.dedent("\n".join(lines[begin : end + 1]))


ADVANTAGES = section("response_idxs = torch.arange", "advantages = torch.masked_fill(advantages")
LOSS = section("new_logprobs = torch.masked_fill(", "loss = pg_loss + args.vf_coef * vf_loss")
STATS = section("pg_clipfrac = masked_mean(", "approxkl = 0.5 * (logprobs_diff**2).mean()")


def ragged(rows, counts):
    return [float(x) for row, n in zip(rows, counts) for x in row[:n]]


def random_case(generator, lengths, window, args):
    shape = (len(lengths), window)
    draw = lambda scale=1.0: torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    logprobs = -draw().abs() - 0.1
    scope = dict(
        GLOBALS,
        args=args,
        responses=torch.zeros(shape, dtype=torch.long),
        sequence_lengths=torch.tensor(lengths) - 1,
        logprobs=logprobs,
        ref_logprobs=logprobs + draw(0.4),
        values=draw(),
        scores=torch.randn(len(lengths), generator=generator, dtype=torch.float64) * 2,
    )
    inputs = {k: scope[k].clone() for k in ("logprobs", "ref_logprobs", "values", "scores")}
    exec(ADVANTAGES, scope)
    states = [min(n + 1, window) for n in lengths]
    return scope, inputs, states


def advantage_case(seed, lengths, window, **options):
    args = SimpleNamespace(
        kl_coef=0.13, kl_estimator="k1", whiten_rewards=False, gamma=0.97, lam=0.9
    )
    vars(args).update(options)
    scope, inputs, states = random_case(
        torch.Generator().manual_seed(seed), lengths, window, args
    )
    return {
        "lengths": lengths,
        "window": window,
        **vars(args),
        "logprobs": ragged(inputs["logprobs"], lengths),
        "ref_logprobs": ragged(inputs["ref_logprobs"], lengths),
        "values": ragged(inputs["values"], states),
        "scores": inputs["scores"].tolist(),
        "num_states": states,
        "kl": ragged(scope["kl"], lengths),
        "rewards": ragged(scope["rewards"], states),
        "returns": ragged(scope["returns"], states),
        "advantages": ragged(scope["advantages"], lengths),
    }


def loss_case(seed, lengths, window, vocab, **options):
    """Logits instead of log-probabilities, so that the gradient goes through the softmax too."""
    args = SimpleNamespace(
        kl_coef=0.05, kl_estimator="k1", whiten_rewards=False, gamma=1.0, lam=0.95,
        cliprange=0.2, cliprange_value=0.2, vf_coef=0.1,
    )
    vars(args).update(options)
    generator = torch.Generator().manual_seed(seed)
    scope, _, states = random_case(generator, lengths, window, args)
    shape = (len(lengths), window)
    logits = torch.randn(*shape, vocab, generator=generator, dtype=torch.float64)
    targets = torch.randint(vocab, shape, generator=generator)
    old = torch.log_softmax(logits, -1).gather(-1, targets[..., None])[..., 0]
    old = old + 0.3 * torch.randn(shape, generator=generator, dtype=torch.float64)
    logits.requires_grad_()
    values = scope["values"] + 0.4 * torch.randn(shape, generator=generator, dtype=torch.float64)
    values.requires_grad_()
    rows = torch.arange(len(lengths))
    scope.update(
        micro_batch_inds=rows,
        mb_logprobs=torch.masked_fill(old, scope["padding_mask"], trl_ppo.INVALID_LOGPROB),
        mb_advantage=scope["advantages"],
        mb_return=scope["returns"],
        mb_values=scope["values"],
        new_logprobs=trl_ppo.selective_log_softmax(logits, targets),
        # The lines slice [context_length - 1 : -1] of (B, context + window, 1).
        context_length=1,
        vpred_temp=torch.cat([values, values[:, :1]], 1)[..., None],
    )
    exec(LOSS, scope)
    exec(STATS, scope | {"logits": logits}, result := {})
    scope["loss"].backward()
    keep = lambda name, counts: ragged(scope[name].detach(), counts)
    flat = lambda rows: [x.tolist() for row, n in zip(rows, lengths) for x in row[:n]]
    tokens = sum(lengths)
    return {
        "lengths": lengths,
        "window": window,
        **{k: vars(args)[k] for k in ("cliprange", "cliprange_value", "vf_coef")},
        "logits": flat(logits.detach()),
        "targets": [int(x) for x in ragged(targets, lengths)],
        "old_logprobs": ragged(old, lengths),
        "advantages": keep("mb_advantage", lengths),
        "values": ragged(values.detach(), states),
        "old_values": keep("mb_values", states),
        "returns": keep("mb_return", states),
        "pg_loss": float(scope["pg_loss"].detach()),
        "vf_loss": float(scope["vf_loss"].detach()),
        "vf_clipfrac": float(scope["vf_clipfrac"]),
        "pg_clipfrac": float(result["pg_clipfrac"]),
        # TRL divides by the padded size; what it sums over pads is 0 here.
        "approxkl": float(result["approxkl"].detach()) * len(lengths) * window / tokens,
        "ratio": float(sum(keep("ratio", lengths)) / tokens),
        "entropy": float(
            sum(ragged(torch.distributions.Categorical(logits=logits).entropy().detach(), lengths))
            / tokens
        ),
        "grad_logits": flat(logits.grad),
        "grad_values": ragged(values.grad, states),
    }


def whiten_case(seed, n):
    x = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3 + 1
    mask = torch.ones(n, dtype=torch.bool)
    return {
        "values": x.tolist(),
        "whitened": trl_ppo.masked_whiten(x, mask).tolist(),
        "whitened_keep_mean": trl_ppo.masked_whiten(x, mask, shift_mean=False).tolist(),
    }


def adaptive_kl_case():
    """Ziegler et al. 2019, section 2.2, in NumPy: beta <- beta (1 + K clip(kl/target - 1, +-.2))."""
    target, horizon, episodes, beta = 6.0, 10000.0, 64, 0.2
    kls = [0.0, 5.0, 5.9, 6.0, 6.5, 7.1, 20.0, -3.0]
    coefs = []
    for kl in kls:
        beta *= 1 + np.clip(kl / target - 1, -0.2, 0.2) * episodes / horizon
        coefs.append(float(beta))
    return {
        "coef": 0.2, "target": target, "horizon": horizon, "episodes": episodes,
        "kl": kls, "expected": coefs,
    }


fixture = {
    "versions": {
        "trl": trl.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
    },
    "source": "lines of trl/experimental/ppo/ppo_trainer.py (Apache-2.0) run as they stand, float64",
    "advantages": [
        advantage_case(1, [5, 1, 8, 3], 8),
        advantage_case(2, [5, 1, 8, 3], 8, kl_estimator="k3"),
        advantage_case(3, [2, 7, 7, 4, 6], 8, whiten_rewards=True),
        advantage_case(4, [6, 6, 6], 6, gamma=1.0, lam=0.95),
        advantage_case(5, [1, 1], 2, gamma=1.0, lam=1.0),
    ],
    "losses": [
        loss_case(11, [4, 6, 1], 6, 7),
        loss_case(12, [3, 2, 5, 5], 6, 5, cliprange=0.1, cliprange_value=0.3),
    ],
    "whiten": whiten_case(21, 13),
    "adaptive_kl": adaptive_kl_case(),
}
path = Path(__file__).parent / "fixtures" / "ppo.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(fixture, indent=None, separators=(",", ":")) + "\n")
print(path, path.stat().st_size, "bytes")
