"""What transformers makes of each conversation with each folder's chat template, as JSON: the text,
its ids, the same where special tokens in the messages are plain text, and, for templates with
{% generation %} blocks, the assistant's mask.

    python make_chat.py CONVERSATIONS.json FOLDER...
"""

import json
import sys

from transformers import AutoTokenizer


def convert(tokenizer, conversation):
    options = {"add_generation_prompt": conversation.get("add", False), "tools": conversation.get("tools")}
    messages = conversation["messages"]
    out = {"text": tokenizer.apply_chat_template(messages, tokenize=False, **options)}
    whole = {"tokenize": True, "return_dict": True, **options}
    out["ids"] = tokenizer.apply_chat_template(messages, **whole)["input_ids"]
    out["sanitized"] = tokenizer.apply_chat_template(messages, sanitize_control_tokens=True, **whole)["input_ids"]
    if "{% generation" in tokenizer.get_chat_template():
        out["mask"] = tokenizer.apply_chat_template(messages, return_assistant_tokens_mask=True, **whole)["assistant_masks"]
    return out


def main():
    conversations = json.load(open(sys.argv[1], encoding="utf-8"))
    folders = {folder: AutoTokenizer.from_pretrained(folder) for folder in sys.argv[2:]}
    print(json.dumps({folder: [convert(tokenizer, c) for c in conversations] for folder, tokenizer in folders.items()}))


if __name__ == "__main__":
    main()
