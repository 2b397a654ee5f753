"""Learning rates of transformers' get_scheduler -> fixtures/schedule.json.

    python tests/oracle/make_schedule.py
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import get_scheduler

PEAK = 3e-4

# (our options, total steps, transformers' name, its warm-up steps, its other arguments)
CASES = [
    ({"schedule": "linear"}, 10, "linear", 0, {}),
    ({"schedule": "linear", "warmup_steps": 3}, 17, "linear", 3, {}),
    ({"schedule": "cosine", "warmup_steps": 5}, 40, "cosine", 5, {}),
    ({"schedule": "cosine", "warmup_ratio": 0.03}, 101, "cosine", 4, {}),
    ({"schedule": "constant"}, 6, "constant", 0, {}),
    ({"schedule": "constant", "warmup_steps": 4}, 12, "constant_with_warmup", 4, {}),
    ({"schedule": "cosine", "warmup_steps": 2, "min_lr_ratio": 0.1}, 25, "cosine_with_min_lr", 2,
     {"min_lr_rate": 0.1}),
    ({"schedule": "wsd", "warmup_steps": 6, "decay_ratio": 0.25}, 40, "warmup_stable_decay", 6,
     {"num_decay_steps": 10}),
    ({"schedule": "wsd", "decay_ratio": 0.2, "min_lr_ratio": 0.05}, 30, "warmup_stable_decay", 0,
     {"num_decay_steps": 6, "min_lr_ratio": 0.05}),
]


def rates(total, name, warmup, extra):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=PEAK)
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total,
                              scheduler_specific_kwargs=extra)
    values = []
    for _ in range(total + 1):  # one past the end; later transformers' cosine rises again
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return values


cases = [{"options": ours, "total_steps": total, "transformers": name,
          "rates": rates(total, name, warmup, extra)}
         for ours, total, name, warmup, extra in CASES]
fixture = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__},
           "peak": PEAK, "cases": cases}
path = Path(__file__).parent / "fixtures" / "schedule.json"
path.write_text(json.dumps(fixture, indent=1) + "\n")
print(path, len(cases), "cases")
