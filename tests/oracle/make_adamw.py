"""A trajectory of torch.optim.AdamW with clipped gradients -> fixtures/adamw.json.

A matrix (with weight decay) and a vector (without), eight updates, gradients given, so that the
optimizer alone is judged. Expected values are computed in float64.

    python tests/oracle/make_adamw.py
"""

import json
from pathlib import Path

import torch

LR, BETAS, EPS, DECAY, MAX_NORM, UPDATES = 1e-2, (0.9, 0.95), 1e-8, 0.1, 1.0, 8


def flat(tensor):
    return [float(v) for v in tensor.detach().flatten()]


generator = torch.Generator().manual_seed(11)


def draw(*shape):
    # float32 values, so that both sides start from the same numbers
    return torch.randn(*shape, generator=generator).double()


matrix = torch.nn.Parameter(draw(5, 7))
vector = torch.nn.Parameter(draw(7))
start = {"matrix": flat(matrix), "vector": flat(vector)}
optimizer = torch.optim.AdamW(
    [{"params": [matrix], "weight_decay": DECAY}, {"params": [vector], "weight_decay": 0.0}],
    lr=LR, betas=BETAS, eps=EPS)

steps = []
for update in range(UPDATES):
    scale = 10.0 ** (update % 3 - 1)  # some gradients are clipped, some are not
    gradients = {"matrix": scale * draw(5, 7), "vector": scale * draw(7)}
    gradients = {name: g.float().double() for name, g in gradients.items()}
    matrix.grad, vector.grad = gradients["matrix"].clone(), gradients["vector"].clone()
    norm = torch.nn.utils.clip_grad_norm_([matrix, vector], MAX_NORM)
    rate = LR * (update + 1) / UPDATES
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    steps.append({"lr": rate, "norm": float(norm),
                  "gradients": {name: flat(g) for name, g in gradients.items()},
                  "matrix": flat(matrix), "vector": flat(vector)})

fixture = {"versions": {"torch": torch.__version__},
           "options": {"beta1": BETAS[0], "beta2": BETAS[1], "eps": EPS, "weight_decay": DECAY,
                       "max_grad_norm": MAX_NORM},
           "shapes": {"matrix": [5, 7], "vector": [7]}, "start": start, "steps": steps}
path = Path(__file__).parent / "fixtures" / "adamw.json"
path.write_text(json.dumps(fixture) + "\n")
print(path, len(steps), "updates")
