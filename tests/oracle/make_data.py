"""Fixture of core/data: what TRL's extract_prompt takes for the prompt of a pair of conversations.

    make_data.py    writes tests/oracle/fixtures/data/extract_prompt.json
"""

import json
import pathlib

import trl
from trl import extract_prompt

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "data" / "extract_prompt.json"


def turns(*contents, system=None):
    roles = ["user", "assistant"]
    messages = [{"role": "system", "content": system}] if system else []
    for i, content in enumerate(contents):
        messages.append({"role": roles[i % 2], "content": content})
    return messages


PAIRS = [
    (turns("sky?", "blue"), turns("sky?", "green")),
    (turns("a", "b", "c", "d"), turns("a", "b", "c", "e")),
    (turns("a", "b", "c", "same words, then this"), turns("a", "b", "c", "same words, then that")),
    (turns("a", "b", system="be brief"), turns("a", "c", system="be brief")),
    (turns("a", "b", "c", "d"), turns("a", "x")),
    (turns("a", "b", "c", "d"), turns("a", "b", "other", "d")),
]


def main():
    cases = []
    for chosen, rejected in PAIRS:
        prompt = extract_prompt({"chosen": chosen, "rejected": rejected})["prompt"]
        cases.append({"chosen": chosen, "rejected": rejected, "prompt": prompt})
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    made = {"made_by": {"trl": trl.__version__}, "cases": cases}
    FIXTURE.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
