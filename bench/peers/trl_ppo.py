"""TRL 1.12.0's PPOTrainer, the last there was:
trl_ppo.py MODEL REWARD PROMPTS ITERATIONS BATCH RESPONSE EPOCHS

Its value model is trained whole; it takes no adapter for it."""
import sys
import tempfile
import time

from common import START, lora_config, report, step_clock

model, reward, rows, iterations, batch, response, epochs = sys.argv[1:8]
iterations, batch, response, epochs = map(int, (iterations, batch, response, epochs))

import torch
from datasets import load_dataset
from transformers import (AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer)
from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
data = load_dataset("json", data_files=rows, split="train")
data = data.map(lambda row: {"input_ids": tokenizer(row["prompt"])["input_ids"]},
                remove_columns=data.column_names)


def scorer():
    return AutoModelForSequenceClassification.from_pretrained(reward, num_labels=1,
                                                              dtype=torch.float32)


rollouts = []
generate = ppo_trainer.batch_generation


def timed_generation(*arguments, **keywords):
    begin = time.perf_counter()
    result = generate(*arguments, **keywords)
    rollouts.append(time.perf_counter() - begin)
    return result


ppo_trainer.batch_generation = timed_generation
clock, ends = step_clock()
trainer = PPOTrainer(
    args=PPOConfig(output_dir=tempfile.mkdtemp(), total_episodes=iterations * batch,
                   per_device_train_batch_size=batch, gradient_accumulation_steps=1,
                   num_mini_batches=1, num_ppo_epochs=epochs, response_length=response,
                   num_sample_generations=0, learning_rate=1e-5, report_to=[], save_strategy="no",
                   use_cpu=True, bf16=False, logging_steps=1, disable_tqdm=True, stop_token="eos"),
    processing_class=tokenizer, model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
    ref_model=None, reward_model=scorer(), value_model=scorer(),
    train_dataset=data.select(range(iterations * batch)), eval_dataset=data.select(range(batch)),
    callbacks=[clock], peft_config=lora_config())
trainer.train()
history = [row for row in trainer.state.log_history if "objective/kl" in row]
first = ends[0] - START
report(iteration_s=(ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else first,
       rollout_s=sum(rollouts) / len(rollouts), first_step_s=first, steps=len(ends), episodes=history[-1]["episode"],
       first_kl=history[0]["objective/kl"], entropy=history[0]["objective/entropy"])
