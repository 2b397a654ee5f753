"""Small templates and what jinja2 renders of them in the environment that transformers sets up.

    python make_chat_jinja.py > fixtures/chat_jinja.json

A case has a template and either its text or the message of the error.
"""

import json
import sys

import jinja2
import transformers
from transformers.utils import chat_template_utils

VARIABLES = {
    "s": "Hello, World",
    "empty": "",
    "u": "Grüße, мир 🌍 ﬁ ǆ",
    "spaced": "  two  words\t\n and more \u00a0\u2003",
    "lines": "one\ntwo\r\nthree\rfour\u2028five\n",
    "quotes": "it's \"so\" \\ <b>&amp;</b>",
    "n": 7,
    "neg": -3,
    "zero": 0,
    "f": 2.5,
    "big": 1e20,
    "small": 1.5e-7,
    "t": True,
    "no": False,
    "null": None,
    "xs": [3, 1, 2],
    "names": ["bob", "Alice", "carol", "alice"],
    "mixed": [1, "a", None, 2.0, True, [1], {"k": "v"}],
    "none_list": [],
    "d": {"b": 1, "a": 2, "c": {"x": [1, {"y": "deep"}]}},
    "keys": {"items": "an item", "get": "got", "name": "n", "class": "c"},
    "rows": [
        {"name": "x", "n": 2, "tag": "A"},
        {"name": "Y", "n": 1, "tag": "a"},
        {"name": "z", "n": 3, "tag": "B"},
        {"name": "w", "tag": "b"},
    ],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}, {"v": 5, "kids": []}],
    "schema": {"type": "object", "properties": {"p": {"type": "string", "description": "Ünïcode \"q\" \u0001 \U0001F600"}}, "required": ["p"], "flag": True, "nothing": None, "real": 1.0, "sci": 1e-7},
}

EXPRESSIONS = r"""
1 + 2 * 3
(1 + 2) * 3
7 // 2
-7 // 2
7 % 3
-7 % 3
7 % -3
7 / 2
6 / 3
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
-n
+n
--n
1 / 0
1 // 0
1 % 0
1.5 // 0.5
7.5 % 2
-7.5 % 2
7.5 // 2
-7.5 // 2
1e3
1_000
0x1f
0b101
0o17
00
1.5e-3
1.0
100000000000000000.0
1e16
1e15
123456789012345678
0.1 + 0.2
1e-5
0.0001
3.14159265358979
big
small
f * 2
1 + true
true + true
true * 3
"a" + "b"
"a" ~ 1 ~ none ~ true ~ 2.5
"a" + 1
1 + "a"
"a" * 3
3 * "ab"
"a" * -1
[1] * 3
[1] + [2]
(1,) + (2,)
[1] + (2,)
[1] - [1]
"a" - "b"
none + 1
missing + 1
1 + missing
missing
missing.attr
missing["x"]
missing()
d.missing
d.missing.deeper
d["missing"]
d["missing"]["deeper"]
d.missing is defined
missing is defined
missing is undefined
not missing
missing == missing
missing == none
missing == ""
missing ~ "x"
missing or "default"
missing and "x"
missing | length
missing | list
missing | default("x")
missing | d
missing | default(none)
"" | default("x")
"" | default("x", true)
none | default("x")
none | default("x", boolean=true)
missing in "abc"
"a" in missing
missing > 1
1 < missing
missing is none
missing is string
missing is iterable
missing is sequence
missing is mapping
missing is number
missing | string
missing | upper
missing | tojson
missing | int
missing | first
missing | join(",")
missing | items | list
-missing
1 < 2 < 3
1 < 3 < 2
1 == 1.0
1 == true
0 == false
"1" == 1
1 != 2
"a" < "b"
"B" < "a"
"é" > "z"
"a" < 1
none < 1
[1, 2] < [1, 3]
[1, 2] == [1, 2]
(1, 2) == [1, 2]
{"a": 1, "b": 2} == {"b": 2, "a": 1}
{"a": 1} < {"b": 1}
1 in [1, 2]
"1" in [1, 2]
1 not in [1, 2]
"ell" in "Hello"
1 in "1"
"a" in {"a": 1}
1 in 5
[1] in [[1], 2]
[1] in {"a": 1}
n in xs
not 1 in [2]
not true
not not 1
not []
1 and 2
0 and 2
1 or 2
0 or ""
none or 0
1 if true else 2
1 if false else 2
1 if false
(1 if false) is defined
1 if no else 2 if no else 3
"x" if xs else "y"
true
True
false
none
None
[1, 2.0, "x", none, true]
(1,)
()
(1, 2)
1, 2
{}
{"a": 1, 2: "b", none: 3, true: 4}
{"a": 1, "a": 2}
{(1, 2): 3}
{[1]: 2}
[]
["it's", 'say "x"', 'both \' and "']
["tab\t", "nl\n", "\\", "\x00\x7f", "é", "\u200b", "\u00ad", "🌍"]
s[0]
s[-1]
s[100]
s[0:5]
s[7:]
s[:-1]
s[::-1]
s[::2]
s[5:2]
s[-100:100]
s[1:8:3]
s[8:1:-2]
s[::0]
s["x"]
s[1.5]
u[0:5]
u[-1]
u[::-1]
u | length
xs[0]
xs[-1]
xs[3]
xs[1:]
xs[::-1]
xs[-2:]
xs[:1]
xs["0"]
xs.0
xs.1
xs.5
d.a
d["a"]
d.c.x[1].y
d.c.x.1.y
d[1]
d[none]
d[[1]]
d[1:2]
n[0]
n.x
none.x
none[0]
none["x"]
true.x
f.x
keys.items
keys.name
keys["items"]
keys["get"]
keys.class
d.items() | list
d.keys() | list
d.values() | list
d.items()
d.keys()
d.get("a")
d.get("zz")
d.get("zz", 5)
d.get()
d.get([1])
d.copy()
d.pop("a")
d.update({})
d.clear()
d.setdefault("x", 1)
d.pop is defined
xs.append(4)
xs.append
xs.append is defined
xs.sort()
xs.pop()
xs.index(1)
xs.index(9)
xs.count(1)
xs.copy()
(1, 2, 1).count(1)
(1, 2).index(2)
(1, 2).copy()
"".__class__
"".__class__.__mro__
"".__class__ is defined
"".__class__ == ""
d.__class__
d["__class__"]
xs.__class__.__base__
missing.__class__
n.__class__
none.__class__
range.__class__
"".format.__globals__
"{0.__class__}".format(1)
"{0.__class__.__mro__}".format(1)
"{x.__init__.__globals__}".format(x=range)
s._private
s.upper()
s.lower()
s.title()
s.capitalize()
s.swapcase()
s.casefold()
u.upper()
u.lower()
u.title()
u.capitalize()
u.swapcase()
u.casefold()
"they're bill's".title()
"they're bill's (and)-<some> [x]{y}"|title
"ǆ" | title
s.strip("Hd")
spaced.strip()
spaced.lstrip()
spaced.rstrip()
spaced | trim
"xxhixx" | trim("x")
"xyhiyx".strip("xy")
"xyhiyx".lstrip("xy")
"xyhiyx".rstrip("xy")
s.strip(1)
s.strip(none)
s.split()
s.split(", ")
s.split(",", 1)
s.split("")
s.split("zz")
spaced.split()
spaced.split(none, 1)
spaced.split(maxsplit=1)
"a,b,,c".split(",")
"a,b,,c".split(",", 2)
"a,b,,c".rsplit(",", 1)
" a b c ".rsplit(none, 1)
"a b c".rsplit(maxsplit=1)
lines.splitlines()
lines.splitlines(true)
"x</think>y</think>z".split("</think>")[-1]
"x</think>y</think>z".split("</think>", 1)[1].lstrip("\n")
s.startswith("Hello")
s.startswith(("x", "Hell"))
s.startswith("World", 7)
s.startswith(1)
s.endswith("World")
s.endswith(("x", "ld"))
s.find("o")
s.find("o", 5)
s.find("zz")
s.rfind("o")
s.index("zz")
s.index("W")
s.count("l")
s.count("")
s.count("l", 4)
u.find("мир")
s.replace("l", "L")
s.replace("l", "L", 1)
s.replace("", "-")
s.replace("zz", "y")
"aaa".replace("aa", "b")
"ab".replace("", "-", 2)
"🌍é".replace("", "-")
s.join(["a", "b"])
", ".join(names)
", ".join([1, 2])
",".join("abc")
",".join(d)
s.partition(", ")
s.partition("zz")
s.rpartition("o")
s.removeprefix("Hello")
s.removesuffix("World")
s.removeprefix("x")
s.center(20)
s.center(21, "*")
"ab".center(5)
"a".center(4)
s.ljust(15) ~ "|"
s.rjust(15)
"42".zfill(5)
"-42".zfill(5)
s.isalpha()
"abc".isalpha()
"abc1".isalnum()
"123".isdigit()
"²".isdigit()
"½".isnumeric()
"٣".isdecimal()
"ABC".isupper()
"abc1".islower()
"123".isupper()
"Hello World".istitle()
"Hello world".istitle()
"  \t".isspace()
"".isspace()
"a_b".isidentifier()
"1a".isidentifier()
"abc".isascii()
u.isascii()
"a\n".isprintable()
"{} {}".format(1, "a")
"{1} {0} {x}".format(1, 2, x=3)
"{:>5}|{:<5}|{:^5}".format("a", "b", "c")
"{:05d} {:+d} {:,}".format(42, 7, 1234567)
"{:.2f} {:e} {:g} {:%}".format(3.14159, 12345.678, 0.0001, 0.25)
"{:x} {:X} {:o} {:b} {:#x}".format(255, 255, 8, 5, 255)
"{!r} {!s}".format("a", "b")
"{0[a]} {0[c]}".format(d)
"{a}".format(**d)
"{{}}".format()
"{}".format()
"{x}".format()
"{".format()
"}".format()
"{:>{w}}".format("a", w=6)
"{:d}".format("a")
"{:.3}".format("abcdef")
"{a}-{b}".format_map(d)
"%s and %d" % ("x", 5)
"%s" % "x"
"%5.2f|%-5s|%05d|%x" % (3.14159, "ab", 42, 255)
"%(a)s" % d
"%d" % "x"
"%s %s" % "x"
"%s" % ("x", "y")
"100%%" % ()
"%r" % "a"
"%s" % missing
"%d" % 3.7
"%c" % "x"
"%z" % 1
"x" % 1
"x" % []
s.nothing
s.nothing()
s.upper
s.upper is callable
xs | length
d | length
s | length
n | length
none | length
xs | count
xs | first
xs | last
none_list | first
none_list | last
"" | first
s | first
s | last
d | first
xs | sort
xs | sort(reverse=true)
xs | sort | first
names | sort
names | sort(case_sensitive=true)
names | sort(reverse=true)
mixed | sort
rows | sort(attribute="n")
rows[:3] | sort(attribute="n") | map(attribute="name") | join
rows | sort(attribute="tag,name") | map(attribute="name") | list
rows | sort(attribute="tag", reverse=true) | map(attribute="name") | list
names | unique | list
names | unique(case_sensitive=true) | list
rows | unique(attribute="tag") | map(attribute="name") | list
xs | reverse | list
s | reverse
xs | reverse
xs | max
xs | min
names | max
names | min(case_sensitive=true)
none_list | max
rows[:3] | max(attribute="n")
xs | sum
xs | sum(start=10)
rows[:3] | sum(attribute="n")
names | sum
mixed | length
xs | join
xs | join("-")
xs | join(d=", ")
rows | join(",", attribute="name")
mixed | join("|")
s | join("-")
d | join(",")
xs | list
s[:3] | list
d | list
n | list
none | list
xs | map("string") | join
names | map("upper") | list
names | map("replace", "a", "X") | list
rows | map(attribute="name") | list
rows | map(attribute="n") | list
rows | map(attribute="n", default=0) | list
rows | map(attribute="name.0") | list
xs | map("nope") | list
xs | map | list
xs | map("abs")
xs | select("odd") | list
xs | reject("odd") | list
xs | select("gt", 1) | list
[0, 1, "", "a", none] | select | list
[0, 1, "", "a", none] | reject | list
rows | selectattr("n") | map(attribute="name") | list
rows | selectattr("n", "defined") | map(attribute="name") | list
rows | rejectattr("n", "defined") | map(attribute="name") | list
rows | selectattr("name", "equalto", "x") | list | length
rows | selectattr("tag", "in", ["A", "B"]) | map(attribute="name") | list
rows | selectattr | list
none_list | selectattr | list
xs | select("odd") | length
xs | select("odd") | first
xs | select("odd") | last
(xs | select("odd"))[0]
(xs | select("odd")) is iterable
(xs | select("odd")) is sequence
xs | select("nope") | list
d | dictsort
d | dictsort(reverse=true)
{"B": 1, "a": 2} | dictsort
{"B": 1, "a": 2} | dictsort(case_sensitive=true)
{"x": 2, "y": 1} | dictsort(by="value")
{"x": 2, "y": 1} | dictsort(false, "value", true)
d | dictsort(by="zz")
xs | dictsort
d | items | list
xs | items | list
none | items | list
rows[:3] | groupby("tag") | list
rows[:3] | groupby("tag", case_sensitive=true) | map("first") | list
rows | groupby("n", default=0) | map(attribute="0") | list
rows[:3] | groupby("tag") | map("last") | map("length") | list
xs | batch(2) | list
xs | batch(2, 0) | list
xs | slice(2) | list
xs | slice(2, 0) | list
xs | batch(0) | list
s | upper
s | lower
s | capitalize
n | upper
none | lower
xs | upper
s | replace("l", "L")
s | replace("l", "L", 1)
s | replace("l")
n | replace("7", "8")
s | trim
n | trim
s | string
xs | string
n | string
f | int
"42" | int
"42.7" | int
"abc" | int
"abc" | int(5)
"abc" | int(default=5)
"ff" | int(base=16)
"0xff" | int(base=16)
" 1_000 " | int
none | int
true | int
"3.5" | float
"abc" | float
"abc" | float(1.5)
"1e3" | float
"inf" | float
"nan" | float
none | float
3 | float
-3 | abs
-2.5 | abs
"a" | abs
2.5 | round
3.5 | round
2.567 | round(2)
2.5 | round(method="ceil")
2.567 | round(2, "floor")
2.567 | round(2, "ceil")
42 | round
1234 | round(-2)
1250 | round(-2)
"a" | round
2.5 | round(method="x")
1.005 | round(2)
2.675 | round(2)
lines | indent
"a\nb\n\nc" | indent
"a\nb\n\nc" | indent(2, true)
"a\nb\n\nc" | indent(2, first=true, blank=true)
"a\nb" | indent("> ")
"a\nb" | indent(width=3)
"" | indent
"a\n" | indent
1 | indent
s | center(20)
"%s-%s" | format("a", "b")
"%(x)s" | format(x=1)
"%s" | format("a", x=1)
s | wordcount
u | wordcount
"a b_c d-e 1.5" | wordcount
"foo bar baz qux" | truncate(9)
"foo bar baz qux" | truncate(9, true)
"foo bar baz qux" | truncate(11)
"foo bar baz qux" | truncate(9, false, "!")
"foo bar baz qux" | truncate(2)
"foo bar" | truncate(5, leeway=0)
"a b&c/d?e=ü" | urlencode
{"a": "b c", "d/": "é"} | urlencode
[("a", 1), ("b", 2)] | urlencode
quotes | escape
quotes | e
quotes | escape | escape
quotes | forceescape
"<a>" | escape ~ "<b>"
("<a>" | escape) + "<b>"
"<b>" + ("<a>" | escape)
("<a>" | safe) + "<b>"
"<a>" | safe
n | escape
"<b>x</b> <!-- c --> y" | striptags
123456 | filesizeformat
1 | filesizeformat
123456 | filesizeformat(true)
999 | filesizeformat
1500000000 | filesizeformat
d | attr("items")
d | attr("a")
s | attr("upper")
s | attr("__class__")
xs | tojson
s | tojson
u | tojson
u | tojson(ensure_ascii=true)
quotes | tojson
d | tojson
d | tojson(indent=2)
d | tojson(indent="--")
d | tojson(sort_keys=true)
d | tojson(separators=(",", ":"))
d | tojson(indent=2, separators=(",", ": "))
d | tojson(indent=0)
schema | tojson
schema | tojson(indent=4)
schema | tojson(indent=4) | indent(8)
mixed | tojson
(1, 2) | tojson
{1: 2, none: 3, true: 4, 1.5: 5} | tojson
{1: 1, true: 2} | tojson
{(1, 2): 3} | tojson
{2: 1, "a": 2} | tojson(sort_keys=true)
[] | tojson(indent=2)
{} | tojson(indent=2)
[[], {}, [1]] | tojson(indent=2)
1e20 | tojson
1e16 | tojson
0.1 | tojson
"nan" | float | tojson
"inf" | float | tojson
"\u2028</script>" | tojson
xs | map("abs") | tojson
range(3) | tojson
d.keys() | tojson
namespace() | tojson
missing | tojson(indent=2)
n is odd
n is even
n is divisibleby 7
n is divisibleby(3)
"a" is odd
n is number
f is number
true is number
n is integer
true is integer
f is integer
f is float
n is float
s is string
n is string
d is mapping
xs is mapping
xs is sequence
s is sequence
d is sequence
n is sequence
(1, 2) is sequence
range(3) is sequence
d.keys() is sequence
xs is iterable
n is iterable
none is iterable
s is iterable
none is none
n is none
true is true
1 is true
false is false
0 is false
true is boolean
1 is boolean
"ABC" is upper
"abc" is lower
"123" is lower
n is eq 7
n is eq(7)
n is equalto 7
n is ne 7
n is lt 8
n is le 7
n is gt 7
n is ge 7
n is lessthan 8
n is greaterthan 8
1 is in [1, 2]
1 is in([3])
"x" is in "xyz"
n is sameas 7
none is sameas none
s is escaped
(s | safe) is escaped
s is not string
n is not none
n is defined and n is odd
s is filter
"upper" is filter
"odd" is test
range is callable
s is callable
n is nope
s | nope
(s | nope) if no else 1
n is odd is even
range(5)
range(5) | list
range(2, 8, 3) | list
range(5, 0, -2) | list
range(0)
range(3, 1) | list
range(1, 2, 0)
range(100001)
range(100000) | length
range(10 ** 9)
range(-5)
range("a")
range()
range(5)[1]
range(5)[1:3]
range(5)[-1]
3 in range(5)
range(5) == range(0, 5)
range(3) | sum
dict(a=1, b=2)
dict({"a": 1}, b=2)
dict([("a", 1), ("b", 2)])
dict([1])
namespace(a=1).a
namespace(a=1).b
namespace({"a": 1}).a
namespace(_x=1)
namespace(a=1)
raise_exception("my message")
raise_exception()
raise_exception("a" ~ n)
[x for x in xs]
lambda: 1
xs | map(attribute=0) | list
names | map(attribute=0) | list
names | map("first") | join
d.c["x"][0] + xs[1] * 2
"%.2f" | format(2)
("a", "b") | join
s | trim | upper | replace("L", "_") | length
"a" "b" 'c'
'\n\t\\\'\"\x41\u00e9\U0001F30D\101\q'
"\
x"
"unterminated
$
a!b
a & b
1 +
(1
1)
[1, 2
{"a" 1}
s.
s..x
s.1x
s[
s | 
s is
f(
f(a=1, 2)
f(*xs, 1)
dict(**d)
"{} {} {}".format(*xs)
range(*[1, 4]) | list
dict(**{"a": 1}, **{"b": 2})
xs[1, 2]
xs[0:1, 2]
true if
if
and
not
in
is
1 2
"a" n
d.items
(1).x
1.real
1.0.x
n.real
n.bit_length()
f.is_integer()
xs == [3, 1, 2]
xs is sameas xs
{"a": xs}.a[0]
[[1, 2], [3]][0][1]
"a" < "b" < "c"
1 < 2 == true
(1 < 2) == true
"abc" is in ["abc"]
not n is odd
-n | abs
(-n) | abs
-1 ** 2
2 * -3
"x" ~ 1 + 2
1 + 2 ~ "x"
1 ~ 2 * 3
9223372036854775807
"a\u0000b" | length
"é" == "e\u0301"
"ß" | upper
"İ" | lower
"ΑΣ" | lower
"ŉ" | capitalize
"ﬁx" | title
"ﬁx".title()
"straße".casefold()
u | tojson | length
"\ud83d\ude00"
none ~ ""
[none, true, 1.50]
1.0 == 1
1e400
5 // 2.0
2 ** 0.5
(-8) ** 0.5
0 ** -1
2 ** 63
9223372036854775807 + 1
10 ** 20 % 7
true and 1
[] == missing
"abc"[1]
"abc"["upper"]()
d["get"]("a")
xs["index"](1)
"{0}".format(d.items)
joiner() is callable
loop
loop.index
caller()
self
varargs
"x".encode()
"a".isalpha
strftime_now("%Y") | length
strftime_now("%%")
strftime_now() 
cycler
lipsum is defined
""".strip("\n").split("\n")

STATEMENTS = [
    "a{% if t %}b{% endif %}c",
    "{% if no %}a{% elif t %}b{% else %}c{% endif %}",
    "{% if no %}a{% elif no %}b{% else %}c{% endif %}",
    "{% if missing %}a{% else %}b{% endif %}",
    "{% if xs, %}a{% endif %}",
    "{% for x in xs %}{{ x }},{% endfor %}",
    "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem + 1 }}{% endfor %}",
    "{% for x in xs %}{{ loop.cycle('odd', 'even') }} {% endfor %}",
    "{% for x in [1, 1, 2, 2] %}{{ loop.changed(x) }} {% endfor %}",
    "{% for x in xs %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}",
    "{% for x in xs %}{{ loop.nope }}{{ loop.nope is defined }}{% endfor %}",
    "{% for x in none_list %}a{% else %}empty{% endfor %}",
    "{% for x in xs %}a{% else %}empty{% endfor %}",
    "{% for x in missing %}a{% else %}empty{% endfor %}",
    "{% for x in n %}a{% endfor %}",
    "{% for x in none %}a{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}",
    "{% for c in s %}{{ c }}.{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }};{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }};{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}",
    "{% for a, b in [(1,)] %}{{ a }}{% endfor %}",
    "{% for a, b in [1] %}{{ a }}{% endfor %}",
    "{% for x in xs if x > 1 %}{{ x }}/{{ loop.index }}/{{ loop.length }}/{{ loop.last }} {% endfor %}",
    "{% for x in xs if x > 5 %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in xs if loop.index > 1 %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% for y in xs if loop.index > 1 %}{{ x }}{{ y }} {% endfor %}{% endfor %}",
    "{% set ns = namespace(go=true) %}{% for x in xs if ns.go %}{{ x }}{% set ns.go = false %}{% endfor %}",
    "{% set ns = namespace(go=true) %}{% for x in xs if ns.go %}{{ x }}{{ loop.last }}{% set ns.go = false %}{% endfor %}",
    "{% for x in xs %}{% if loop.index == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% if loop.index == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}",
    "{% for x in xs %}{% break %}{% else %}never{% endfor %}",
    "{% break %}",
    "{% for x in xs %}{% set y = x %}{% endfor %}{{ y }}",
    "{% set y = 0 %}{% for x in xs %}{{ y }}{% set y = x %}{{ y }} {% endfor %}{{ y }}",
    "{% for x in xs %}{{ y }}{% set y = x %}{% endfor %}",
    "{% for x in xs %}{% if loop.first %}{% set y = x %}{% endif %}{{ y }}{% endfor %}",
    "{% for x in xs %}{{ x }}{% endfor %}{{ x }}",
    "{% set x = 9 %}{% for x in xs %}{{ x }}{% endfor %}{{ x }}",
    "{% for loop in xs %}{% endfor %}",
    "{% for x in xs %}{% for x in [7, 8] %}{{ x }}{% endfor %}{{ x }}{{ loop.index }} {% endfor %}",
    "{% for x in tree recursive %}{{ x.v }}{% if x.kids %}({{ loop(x.kids) }}){% endif %}{{ loop.depth }} {% endfor %}",
    "{% for x in xs %}{{ loop(xs) }}{% endfor %}",
    "{% for x in range(3) %}{{ x }}{% endfor %}",
    "{% for x in xs|reverse %}{{ x }}{{ loop.length }}{% endfor %}",
    "{% for x in (1, 2) %}{{ x }}{% endfor %}",
    "{% for x in 1, 2 %}{{ x }}{% endfor %}",
    "{% for x in xs if x is odd else y %}{{ x }}{% endfor %}",
    "{% for g, list in rows[:3]|groupby('tag') %}{{ g }}:{{ list|map(attribute='name')|join }} {% endfor %}",
    "{% set x = 1 %}{{ x }}",
    "{% set x, y = 1, 2 %}{{ x }}{{ y }}",
    "{% set (x, y) = (1, 2) %}{{ x }}{{ y }}",
    "{% set x, y = 1 %}",
    "{% set x = 1, 2 %}{{ x }}",
    "{% set x = y = 1 %}",
    "{% set 1 = 2 %}",
    "{% set true = 2 %}",
    "{% set x.y = 2 %}",
    "{% set d.y = 2 %}",
    "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b }}",
    "{% set ns = namespace(n=0) %}{% for x in xs %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}",
    "{% set ns = namespace(l=[]) %}{% for x in xs %}{% set ns.l = ns.l + [x] %}{% endfor %}{{ ns.l }}",
    "{% set ns = namespace(a=1) %}{% set ns.a, b = 2, 3 %}{{ ns.a }}{{ b }}",
    "{% set x %}a{{ n }}b{% endset %}[{{ x }}]",
    "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% set x | trim | upper %} abc {% endset %}[{{ x }}]",
    "{% set x %}{% set y = 5 %}{{ y }}{% endset %}{{ x }}{{ y }}",
    "{% set s = s ~ '!' %}{{ s }}",
    "{% if t %}{% set q = 5 %}{% endif %}{{ q }}",
    "{% if no %}{% set q = 5 %}{% endif %}{{ q }}",
    "{% if no %}{% set n = 5 %}{% endif %}{{ n }}",
    "{% if not q is defined %}{% set q = 3 %}{% endif %}{{ q }}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(a=5, b=6) }} {{ m() }}",
    "{% macro m(a) %}{{ a + 1 }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}",
    "{% macro m() %}{{ s }}{{ q }}{% endmacro %}{{ m() }}{% set q = 1 %}{{ m() }}",
    "{% macro m() %}{% set q = 1 %}{{ q }}{% endmacro %}{{ m() }}{{ q }}",
    "{% for x in xs %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{{ m() }}{% macro m() %}x{% endmacro %}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}body {{ n }}{% endcall %}",
    "{% macro m() %}[{{ caller(1, 2) }}]{% endmacro %}{% call(a, b) m() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro m() %}x{% endmacro %}{% call m() %}body{% endcall %}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{{ m() }}",
    "{% macro m(caller) %}{{ caller() }}{% endmacro %}",
    "{% macro m(x) %}{{ x }}{% endmacro %}{{ m }}".replace("{{ m }}", "{{ m.name }}"),
    "{% macro m(a, b=1, c) %}{% endmacro %}",
    "{% call s %}x{% endcall %}",
    "{% set f = range %}{{ f(2)|list }}",
    "{% macro m() %}a{% endmacro %}{% set x = m() %}{{ x|length }}{{ x ~ 'b' }}",
    "{% macro m(x) %}{% for y in x %}{{ loop.index }}{{ m(y) if y is iterable and y is not string else y }}{% endfor %}{% endmacro %}{{ m([1, [2, 3], 'ab']) }}",
    "{% filter upper %}abc{{ s }}{% endfilter %}",
    "{% filter replace('a', 'b') | upper %}aaa{% endfilter %}",
    "{% filter trim %}  x  {% endfilter %}|",
    "{% filter nope %}x{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z }}",
    "{% with n = 1, b = n %}{{ n }}{{ b }}{% endwith %}",
    "{% raw %}{{ not }} {% if %}{% endraw %}",
    "{% raw %}{{ not }}{% endrow %}",
    "a{%- raw -%}  x  {%- endraw -%}  b",
    "  {% raw %}\nx\n  {% endraw %}\ny",
    "a{# comment #}b",
    "a{# comment {{ x }} {% if %} #}b",
    "a  {#- c -#}  b",
    "a\n  {# c #}\nb",
    "a {# unclosed",
    "{% print s %}",
    "{% print s, n %}",
    "{% generation %}abc{{ n }}{% endgeneration %}",
    "{% generation %}{% set gx = 1 %}{% endgeneration %}{{ gx }}",
    "{% for x in xs %}{% generation %}{{ loop.index }}{{ x }}{% endgeneration %};{% endfor %}",
    "{% block b %}x{{ s }}{% endblock %}",
    "{% block b %}x{% endblock b %}y",
    "{% autoescape false %}{{ quotes }}{% endautoescape %}",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% nope %}",
    "{% endif %}",
    "{% if t %}",
    "{% if t %}{% endfor %}",
    "{% for x in xs %}{% endif %}",
    "{% if %}{% endif %}",
    "{% %}",
    "{{ }}",
    "{{",
    "{%",
    "{{ s }",
    "{{ s %}",
    "{% if t }}",
    "}} %} #}",
    "{ { s } }",
    "{{ '}}' }}",
    "{{ '%}' }}{{ \"{{\" }}",
    "{{ {'a': {'b': 1}} }}",
    "{{{'a': 1}}}",
    "{{ {} }}",
    "{{- s -}}",
    "  {{- s -}}  x",
    "  {{ s }}  x",
    "a\n{{ s }}\nb",
    "a\n{{- s }}\nb",
    "a\n{{ s -}}\nb",
    "a\n{% if t %}\nb\n{% endif %}\nc",
    "a\n  {% if t %}  \nb\n  {% endif %}\nc",
    "a\n  {%- if t %}\nb\n  {%- endif %}\nc",
    "a\n  {% if t -%}\n  b\n  {% endif -%}\n  c",
    "a\n  {%+ if t %}\nb\n  {%+ endif %}\nc",
    "a\n{% if t +%}\nb\n{% endif +%}\nc",
    "  {% if t %}x{% endif %}",
    "x  {% if t %}y{% endif %}",
    "\n  {% if t %}y{% endif %}  \n",
    "{% if t %}\n\n  y\n{% endif %}\n\n",
    "{% if t %} {% endif %}x",
    "a\n",
    "a\n\n",
    "\n",
    "",
    "a\r\nb\rc\n",
    "{% set x = 'a\r\nb' %}{{ x }}",
    "\t{% if t %}\tx\t{% endif %}\t",
    "a\u2003\n \u2003{% if t %}x{% endif %}",
    "{% for x in xs %}\n  {{ x }}\n{% endfor %}\n",
    "{% for x in xs -%}\n  {{ x }}\n{%- endfor %}\n",
    "{%- for x in xs %}\n  {{- x }}\n{%- endfor -%}\n end",
    "{{ 'a' if t }}{{ 'b' if no }}",
    "{{ s\n}}{{\nn }}",
    "{% if t\n  and n %}x{% endif %}",
    "{{ f(\n) }}",
    "{{ [\n1,\n2,\n] }}",
    "{{ 1,\n }}",
    "{{ raise_exception('x') }}",
    "{% if no %}{{ raise_exception('x') }}{% endif %}ok",
    "{% for m in rows %}{% if m.n is not defined %}{{ raise_exception('no n in ' ~ m.name) }}{% endif %}{{ m.n }}{% endfor %}",
    "{% set x = raise_exception('y') %}",
    "{{ s|upper|lower|title }}",
    "{% set a = [1, 2] %}{% set b = a + [3] %}{{ a }}{{ b }}",
    "{{ namespace(a=[]).a }}",
    "{{ joiner(', ')() }}|",
    "{% set j = joiner('-') %}{% for x in xs %}{{ j() }}{{ x }}{% endfor %}",
    "{% set x = '<' %}{% set y = x|escape %}{{ y + x }}",
    "{{ dict(a=1).a }}{{ dict(a=1)|length }}",
    "{% set x = {'a': 1} %}{{ x.a }}{{ x['a'] }}{{ x.b is defined }}",
    "{%if t%}x{%endif%}",
    "{%-if t-%} x {%-endif-%}",
    "{% if t: %}x{% endif %}",
    "{% for x in xs: %}{{ x }}{% endfor %}",
    "{% else %}",
    "{% if t %}{% else %}{% else %}{% endif %}",
    "{{ loop is defined }}",
    "{% for x in xs %}{{ loop }}{% break %}{% endfor %}".replace("{{ loop }}", "{{ loop is defined }}"),
    "{% if s is string and xs is iterable and d is mapping %}ok{% endif %}",
    "{{ 'x' ~ (xs|join) ~ (d|length) }}",
    "{% set content = 'a</think>b' %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{ content }}",
    "{% for x in xs %}{{ x if not loop.last else x ~ '.' }}{{ ', ' if not loop.last }}{% endfor %}",
    "{% macro show(x, depth=0) -%}\n{%- if x is mapping -%}\n{%- for k, v in x.items() %}{{ '  ' * depth }}{{ k }}: {{ show(v, depth + 1) }}\n{% endfor -%}\n{%- else -%}{{ x }}{%- endif -%}\n{%- endmacro %}{{ show(d) }}",
    "{% set ns = namespace(found=false, i=0) %}{% for x in xs[::-1] %}{% if not ns.found and x == 1 %}{% set ns.found = true %}{% set ns.i = loop.index0 %}{% endif %}{% endfor %}{{ ns.found }}{{ ns.i }}",
    "{{ (xs|length - 1) - loop.index0 }}",
    "{% for x in xs[::-1] %}{% set i = (xs|length - 1) - loop.index0 %}{{ i }}{{ x }} {% endfor %}",
    "{% if xs[0] is integer and (xs[1] == 1 or no) %}y{% endif %}",
    "{{ {'role': 'user', 'content': 'hi'} | tojson }}",
    "{{ xs | map('string') | map('replace', '1', 'one') | join(', ') }}",
    "{{ d.items() | map(attribute=0) | join }}",
    "{{ d.items() | map('last') | list }}",
    "{% set it = xs|select('odd') %}{{ it|list }}{{ it|list }}",
    "{% set it = xs|select('odd') %}{{ 3 in it }}{{ it|list }}",
    "{% set it = xs|map('abs') %}{{ it|first }}{{ it|list }}",
]


def render(template):
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
        text = compiled.render(**VARIABLES)
        text.encode()  # lone surrogates are an error to whoever wants bytes
        return {"text": text}
    except Exception as error:  # whatever it is, the engine must refuse too
        return {"error": getattr(error, "message", None) or str(error), "type": type(error).__name__}


def main():
    templates = ["{{ " + expression + " }}" for expression in EXPRESSIONS] + STATEMENTS
    cases = [{"template": template, **render(template)} for template in templates]
    cases = [case for case in cases if " at 0x" not in case.get("text", "")]  # an address is not to be met
    versions = {"jinja2": jinja2.__version__, "transformers": transformers.__version__, "python": sys.version.split()[0]}
    lines = ",\n".join(json.dumps(case) for case in cases)
    print(json.dumps({"versions": versions})[:-1] + ', "variables": ' + json.dumps(VARIABLES) + ', "cases": [\n' + lines + "\n]}")


if __name__ == "__main__":
    main()
