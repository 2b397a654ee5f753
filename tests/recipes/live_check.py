"""What Plumb writes, opened by the libraries it is written for: transformers reads our models (causal and
reward), PEFT our adapters, and both give our logits, scores and greedy text.
usage: live_check.py build/plumb"""
import json, subprocess, sys, tempfile
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

PLUMB = sys.argv[1]
TOLERANCE = 1e-4
failures = []


def plumb(*words):
    done = subprocess.run([PLUMB, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"plumb {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout) if "--json" in words else done.stdout


def check(name, got, want):
    difference = (torch.as_tensor(got, dtype=torch.float64) - want.double()).abs().max().item()
    passed = difference <= TOLERANCE
    print(f"{'ok  ' if passed else 'FAIL'} {name}: largest difference {difference:.2e}")
    if not passed:
        failures.append(name)


def check_equal(name, got, want):
    print(f"{'ok  ' if got == want else 'FAIL'} {name}")
    if got != want:
        print(f"  got  {got!r}\n  want {want!r}")
        failures.append(name)


with tempfile.TemporaryDirectory() as work, torch.no_grad():
    data = f"{work}/data"
    plumb("data", "make", data)
    store = f"data.store={work}/store"
    quick = ["train.batch_size=8", "train.optimizer.lr=0.01", "samples.count=0", store]
    plumb("pretrain", f"data.path=[{data}/corpus.txt]", "tokenizer.vocab_size=400", "architecture.hidden_size=32",
          "architecture.intermediate_size=64", "architecture.num_hidden_layers=2", "architecture.num_attention_heads=4",
          "architecture.num_key_value_heads=2", "train.steps=4", *quick, "--out", f"{work}/base", "--quiet")
    model = f"{work}/base/model"
    tokenizer = AutoTokenizer.from_pretrained(model)
    hf = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    text = "Q: What does the fox eat?\nA: Good question! The fox eats berries."
    ids = tokenizer(text)["input_ids"]
    words = " ".join(map(str, ids))
    check_equal("tokenizer", plumb("tokenize", model, text, "--json")["ids"], ids)
    check("pretrained model in transformers", plumb("logits", model, "--ids", words, "--json")["logits"], hf(torch.tensor([ids])).logits[0])
    ours = plumb("generate", model, "--prompt", "The fox", "--greedy", "--max-new-tokens", 24, "--json")["completions"][0]["ids"]
    prompt = torch.tensor([tokenizer("The fox")["input_ids"]])
    theirs = hf.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=24, pad_token_id=0)[0, prompt.shape[1]:].tolist()
    check_equal("greedy generation", ours, theirs)

    plumb("sft", f"model.path={model}", f"data.path=[{data}/sft.jsonl]", "train.steps=4", *quick, "--out", f"{work}/sft", "--quiet")
    adapter = f"{work}/sft/adapter"
    peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), adapter)
    wanted = peft(torch.tensor([ids])).logits[0]
    check("SFT adapter in PEFT", plumb("logits", model, "--adapter", adapter, "--ids", words, "--json")["logits"], wanted)
    changed = (wanted - hf(torch.tensor([ids])).logits[0]).abs().max().item()
    check_equal("the adapter changes the logits", changed > 10 * TOLERANCE, True)
    plumb("merge", model, "--adapter", adapter, "--out", f"{work}/merged")
    check("merged model in transformers", AutoModelForCausalLM.from_pretrained(f"{work}/merged", dtype=torch.float32)(torch.tensor([ids])).logits[0], wanted)
    plumb("export", model, "--adapter", adapter, "--format", "peft", "--out", f"{work}/exported")
    again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), f"{work}/exported")
    check("exported adapter in PEFT", again(torch.tensor([ids])).logits[0], wanted)

    for name, rank in (("reward adapter", 4), ("reward model, all weights", 0)):
        out = f"{work}/reward{rank}"
        plumb("reward", f"model.path={model}", f"lora.rank={rank}", f"data.path=[{data}/pairs.jsonl]", "train.steps=4",
              *[q for q in quick if not q.startswith("samples")], "--out", out, "--quiet")
        if rank:
            backbone = AutoModelForSequenceClassification.from_pretrained(model, num_labels=1, dtype=torch.float32)
            classifier = PeftModel.from_pretrained(backbone, f"{out}/adapter")
            ours = plumb("score", model, "--reward", f"{out}/adapter", "--text", text, "--json")["scores"]
        else:
            classifier = AutoModelForSequenceClassification.from_pretrained(f"{out}/model", dtype=torch.float32)
            ours = plumb("score", f"{out}/model", "--text", text, "--json")["scores"]
        check(f"{name} in transformers", ours, classifier(torch.tensor([ids])).logits[0])

sys.exit(f"{len(failures)} checks failed: {', '.join(failures)}" if failures else 0)
