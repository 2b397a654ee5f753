"""What transformers' logits processors keep of random logits, for tests/core/ops/test_sampling.cpp.

    python tests/oracle/make_sampling.py

Writes fixtures/sampling.json: rows of logits, and for each case its settings, the row, the ids kept
and their probabilities. Cases where rounding, or a sort's order of equals, decides whether a token
stays are left out.
"""
import json
import os

import torch
import transformers
from transformers.generation.logits_process import (
    LogitsProcessorList, MinNewTokensLengthLogitsProcessor, MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper)

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "sampling.json")

SETTINGS = [
    {"temperature": 0.7}, {"temperature": 2.5},
    {"top_k": 1}, {"top_k": 7}, {"top_k": 40}, {"top_k": 159}, {"top_k": 5000},
    {"top_p": 0.1}, {"top_p": 0.5}, {"top_p": 0.9}, {"top_p": 0.999}, {"top_p": 0.0},
    {"min_p": 0.02}, {"min_p": 0.3}, {"min_p": 1.0},
    {"repetition_penalty": 1.7}, {"repetition_penalty": 0.6},
    {"ban": True}, {"ban": True, "top_k": 3},
    {"temperature": 0.6, "top_k": 20, "top_p": 0.8},
    {"temperature": 1.4, "top_k": 60, "top_p": 0.95, "min_p": 0.05},
    {"temperature": 0.9, "top_p": 0.7, "min_p": 0.1, "repetition_penalty": 1.2, "ban": True},
]


def rows():
    torch.manual_seed(5)
    flat = torch.randn(160)
    steep = torch.randn(160) * 4
    ties = (torch.randn(160) * 3).round()  # many equal scores
    small = torch.randn(13) * 2
    return [[round(x, 4) for x in row.tolist()] for row in (flat, steep, ties, small)]


def processors(settings, seen, eos):
    chain = []
    if "repetition_penalty" in settings:
        chain.append(RepetitionPenaltyLogitsProcessor(settings["repetition_penalty"]))
    if settings.get("ban"):
        chain.append(MinNewTokensLengthLogitsProcessor(len(seen), 1, eos, device="cpu"))
    if "temperature" in settings:
        chain.append(TemperatureLogitsWarper(settings["temperature"]))
    if "top_k" in settings:
        chain.append(TopKLogitsWarper(settings["top_k"]))
    if "top_p" in settings:
        chain.append(TopPLogitsWarper(settings["top_p"]))
    if "min_p" in settings:
        chain.append(MinPLogitsWarper(settings["min_p"]))
    return LogitsProcessorList(chain)


def kept_by(settings, logits, seen, eos):
    scores = processors(settings, seen, eos)(torch.tensor([seen]), logits.clone()[None])[0]
    return (scores > -float("inf")).nonzero()[:, 0].tolist(), torch.softmax(scores, -1)


def nudged(settings, by):
    return {key: value + by if key in ("top_p", "min_p") and 0 < value < 1 else value
            for key, value in settings.items()}


def main():
    cases = []
    all_rows = rows()
    for index, row in enumerate(all_rows):
        logits = torch.tensor(row)
        seen = [int(i) for i in torch.topk(logits, 3).indices] + [0, 5, 5]
        eos = sorted({int(logits.argmax()), 4})
        for settings in SETTINGS:
            kept, probabilities = kept_by(settings, logits, seen, eos)
            removed = torch.ones(len(row), dtype=torch.bool)
            removed[kept] = False
            tie = "top_p" in settings and logits[kept].min() in logits[removed]
            if tie or any(kept_by(nudged(settings, by), logits, seen, eos)[0] != kept
                          for by in (-2e-6, 2e-6)):
                print("left out: a close call", index, settings)
                continue
            cases.append({"row": index, **settings, "seen": seen, "eos": eos, "kept": kept,
                          "probabilities": [float(f"{p:.8g}") for p in
                                            probabilities[kept].tolist()]})
    with open(OUT, "w") as file:
        json.dump({"versions": {"torch": torch.__version__,
                                "transformers": transformers.__version__},
                   "rows": all_rows, "cases": cases}, file, separators=(",", ":"))
        file.write("\n")


main()
