"""TRL's SFTTrainer: trl_sft.py MODEL ROWS STEPS BATCH LENGTH {lora|full} {best|shipped} {f32|bf16}"""
import sys

from common import START, losses, lora_config, report, step_clock, trainer_options

model, rows, steps, batch, length, weights, mode, dtype = sys.argv[1:9]
steps, batch = int(steps), int(batch)

import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

data = load_dataset("json", data_files=rows, split="train").select(range(steps * batch))
clock, ends = step_clock()
trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
    args=SFTConfig(max_steps=steps, per_device_train_batch_size=batch, max_length=int(length),
                   learning_rate=2e-4, **trainer_options(mode, dtype)),
    train_dataset=data, processing_class=AutoTokenizer.from_pretrained(model), callbacks=[clock],
    peft_config=lora_config() if weights == "lora" else None)
trainer.train()
tokens = [row["num_tokens"] for row in trainer.state.log_history if "num_tokens" in row]
report(tokens_per_s=(tokens[-1] - tokens[1]) / (ends[-1] - ends[1]), first_step_s=ends[0] - START,
       tokens=tokens[-1], steps=len(ends), losses=losses(trainer))
