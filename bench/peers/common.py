"""What every peer's script shares: the clock from process start, and one line RESULT {json}."""
import json
import tempfile
import time

START = time.perf_counter()

LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def report(**figures):
    print("RESULT " + json.dumps(figures), flush=True)


def lora_config():
    from peft import LoraConfig
    return LoraConfig(r=16, lora_alpha=32, target_modules=LORA_TARGETS, task_type="CAUSAL_LM")


def step_clock():
    """A callback that notes when each update has ended, and the list that it fills."""
    from transformers import TrainerCallback
    ends = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args, **kwargs):
            ends.append(time.perf_counter())

    return Clock(), ends


def trainer_options(mode, dtype="f32"):
    """best: the fastest that these flags give on a CPU, products in `dtype` (bf16 by autocast);
    shipped: what the trainer does by itself."""
    options = dict(output_dir=tempfile.mkdtemp(), logging_steps=1, report_to=[], save_strategy="no",
                   disable_tqdm=True, use_cpu=True)
    if mode == "best":
        options |= dict(bf16=dtype == "bf16", gradient_checkpointing=False)
    return options


def losses(trainer):
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]
