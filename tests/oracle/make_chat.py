"""What transformers renders of each conversation with each folder's chat template, as JSON.

    python make_chat.py CONVERSATIONS.json FOLDER...
"""

import json
import sys

from transformers import AutoTokenizer


def render(folder, conversations):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [tokenizer.apply_chat_template(c["messages"], tokenize=False, add_generation_prompt=c["add"])
            for c in conversations]


def main():
    conversations = json.load(open(sys.argv[1], encoding="utf-8"))
    print(json.dumps({folder: render(folder, conversations) for folder in sys.argv[2:]}))


if __name__ == "__main__":
    main()
