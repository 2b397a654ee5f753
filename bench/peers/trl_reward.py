"""TRL's RewardTrainer, all weights: trl_reward.py MODEL PAIRS STEPS BATCH LENGTH {best|shipped} {f32|bf16}"""
import sys

from common import START, losses, report, step_clock, trainer_options

model, rows, steps, batch, length, mode, dtype = sys.argv[1:8]
steps, batch = int(steps), int(batch)

import torch
from datasets import load_dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import RewardConfig, RewardTrainer

data = load_dataset("json", data_files=rows, split="train").select(range(steps * batch))
clock, ends = step_clock()
trainer = RewardTrainer(
    model=AutoModelForSequenceClassification.from_pretrained(model, num_labels=1,
                                                             dtype=torch.float32),
    args=RewardConfig(max_steps=steps, per_device_train_batch_size=batch, max_length=int(length),
                      learning_rate=1e-4, **trainer_options(mode, dtype)),
    train_dataset=data, processing_class=AutoTokenizer.from_pretrained(model), callbacks=[clock])
trainer.train()
report(pairs_per_s=(len(ends) - 2) * batch / (ends[-1] - ends[1]), first_step_s=ends[0] - START,
       steps=len(ends), losses=losses(trainer))
