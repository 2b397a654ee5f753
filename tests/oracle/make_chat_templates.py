"""What transformers renders with each chat template of a folder, of a set of dialogues.

    python make_chat_templates.py FOLDER [TEMPLATE.jinja...]

Prints JSON: the dialogues, and for every template and dialogue its text, or the message with which
the template refuses. The clock stands at 2024-07-26.
"""

import datetime
import json
import pathlib
import sys

import jinja2
import tokenizers
import transformers
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

SPECIAL = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather in a city: \"now\" & later <b>",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "  The city, e.g. Zürich "},
                "unit": {"type": "string", "enum": ["c", "f"], "description": "Unit"},
                "days": {"type": ["integer", "number"], "description": "How many"},
            },
            "required": ["city"],
        },
        "return": {"type": "object", "description": "What it is like"},
    },
}
# Three of the templates recurse without end on an array or a null.
ROUTE = {
    "type": "function",
    "function": {"name": "route", "description": "A way.", "parameters": {"type": "object", "properties": {
        "when": {"type": ["integer", "null"], "description": "Day"},
        "spots": {"type": "array", "items": {"type": "number"}, "description": "Spots"},
        "style": {"type": "object", "additionalProperties": {"type": "string"}, "description": "How"}}, "required": ["spots"]}},
}
SEARCH = {
    "type": "function",
    "function": {"name": "search", "description": "Search.", "parameters": {"type": "object", "properties": {}, "required": []}},
}
OLD_TOOL = {"name": "lookup", "description": "Old style.", "parameter_definitions": {"q": {"type": "str", "description": "Query", "required": True}, "n": {"type": "int", "description": "Count", "required": False}}}


def call(name, arguments, identifier="abcdef123"):
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def user(content="Hi there", **more):
    return {"role": "user", "content": content, **more}


def assistant(content="Hello.", **more):
    return {"role": "assistant", "content": content, **more}


def system(content="Be brief."):
    return {"role": "system", "content": content}


def tool(content='{"temp": 21.5}', **more):
    return {"role": "tool", "content": content, "tool_call_id": "abcdef123", "name": "get_weather", **more}


CALLED = [user("Weather in Zürich?"), assistant("", tool_calls=[call("get_weather", {"city": "Zürich", "days": 2})]), tool(), assistant("21.5 °C.")]
CALLED_TEXT = [user("Weather?"), {"role": "assistant", "tool_calls": [call("get_weather", '{"city": "Bern"}')]}, tool("sunny")]
THINKING = [user("2+2?"), assistant("<think>\nadd\n</think>\n\n4"), user("3+3?"), assistant("<think>\nadd again\n</think>\n\n6")]

DIALOGUES = [
    {"messages": [user()]},
    {"messages": [user()], "add": True},
    {"messages": [user(), assistant()]},
    {"messages": [user(), assistant()], "add": True},
    {"messages": [system(), user(), assistant()]},
    {"messages": [system(), user(), assistant(), user("Bye"), assistant("See you")]},
    {"messages": [system(), user(), assistant(), user("Bye")], "add": True},
    {"messages": [system()]},
    {"messages": [assistant(), user()]},
    {"messages": [user("a"), user("b")], "add": True},
    {"messages": [user(), assistant(), system("late"), user()]},
    {"messages": [user("")], "add": True},
    {"messages": [user(), assistant("")]},
    {"messages": [user("  spaces \n\n"), assistant("\n  more  ")]},
    {"messages": [user("Grüße, мир 🌍 e\u0301 \u200b \u2028 \"quoted\" \\ back")], "add": True},
    {"messages": [user("<|im_end|> <s> [INST] {{ 7 * 7 }} {% if %}"), assistant("</s><|eot_id|>")]},
    {"messages": [{"role": "wizard", "content": "x"}]},
    {"messages": [user(), {"role": "ipython", "content": "out"}], "add": True},
    {"messages": [user("Weather?")], "tools": [WEATHER], "add": True},
    {"messages": [system(), user("Weather?")], "tools": [WEATHER, SEARCH], "add": True},
    {"messages": CALLED, "tools": [WEATHER]},
    {"messages": CALLED[:3], "tools": [WEATHER, SEARCH], "add": True},
    {"messages": CALLED_TEXT, "tools": [WEATHER], "add": True},
    {"messages": CALLED},
    {"messages": [user(), assistant(None, tool_calls=[call("search", {}), call("get_weather", {"city": "B", "spots": [1, 2.0, 1e-7]}, "ghijkl456")]), tool("one"), tool("two", tool_call_id="ghijkl456"), assistant("done")], "tools": [WEATHER, SEARCH]},
    {"messages": [user("Look")], "tools": [OLD_TOOL], "add": True},
    {"messages": [user("Summarize")], "documents": [{"title": "A", "text": "first"}, {"title": "B", "text": "second \"doc\""}], "add": True},
    {"messages": [user("Summarize")], "documents": [{"title": "A", "text": "first"}], "tools": [SEARCH], "add": True},
    {"messages": THINKING},
    {"messages": THINKING[:3], "add": True},
    {"messages": [user([{"type": "text", "text": "part one"}, {"type": "text", "text": " and two"}]), assistant()]},
    {"messages": [user(name="ann"), assistant(reasoning_content="hmm", name="bot")]},
    {"messages": [user(), assistant(tool_calls=[])]},
    {"messages": [user("Way?")], "tools": [ROUTE], "add": True},
    {"messages": [user(), assistant()] * 6},
    {"messages": [user("x")], "variables": {"date_string": "01 Jan 2030", "enable_thinking": False, "tools_in_user_message": False}, "tools": [WEATHER], "add": True},
    {"messages": [user("x")], "variables": {"functions": "[]", "datetime": "today", "enable_citations": True}, "tools": [WEATHER], "add": True},
    {"messages": [system(), user("x"), assistant("", tool_calls=[call("f", '{"a": 1}')]), tool("r")], "variables": {"functions": "[{\"name\": \"f\"}]", "datetime": "now"}},
    {"messages": [user("go"), assistant("and the answer is ")], "continue": True},
    {"messages": [system(), user("go"), assistant("and the answer is")], "continue": True},
]
# Some templates are for conversations with tools only, one wants variables of its own.
DIALOGUES += [{**dialogue, "tools": [SEARCH, WEATHER], "variables": {"functions": "[]", "datetime": "today"}}
              for dialogue in DIALOGUES if "tools" not in dialogue and "variables" not in dialogue]


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 0, 0, 0)


def render(tokenizer, template, dialogue):
    try:
        return {"text": tokenizer.apply_chat_template(
            dialogue["messages"], chat_template=template, tokenize=False, tools=dialogue.get("tools"),
            documents=dialogue.get("documents"), add_generation_prompt=dialogue.get("add", False),
            continue_final_message=dialogue.get("continue", False), **dialogue.get("variables", {}))}
    except Exception as error:
        raised = type(error) is jinja2.exceptions.TemplateError  # the template's own raise_exception
        return {"error": str(error), "raised": raised}


def main():
    chat_template_utils.datetime = FixedClock
    folder = pathlib.Path(sys.argv[1])
    names = sys.argv[2:] or sorted(path.name for path in folder.glob("*.jinja"))
    model = tokenizers.models.WordLevel({token: i for i, token in enumerate(SPECIAL.values())}, unk_token="<unk>")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer(model), **SPECIAL)
    templates = {name: (folder / name).read_text(encoding="utf-8") for name in names}
    rendered = {name: [render(tokenizer, text, dialogue) for dialogue in DIALOGUES] for name, text in templates.items()}
    versions = {"transformers": transformers.__version__, "jinja2": jinja2.__version__}
    print(json.dumps({"versions": versions, "special": SPECIAL, "dialogues": DIALOGUES, "rendered": rendered}))


if __name__ == "__main__":
    main()
