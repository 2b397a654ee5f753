"""Writes core/text/unicode_table.cpp: what the `tokenizers` package takes each code point for.

The package holds several Unicode versions at once (Oniguruma for patterns, Rust's standard library,
Rust's regex crate, and an older table for punctuation), so each is asked about every code point
through a pre-tokenizer that uses it. Run with a Python that has `tokenizers`:

    python scripts/make_unicode_table.py > core/text/unicode_table.cpp
"""

import struct

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CATEGORIES = ("Cn Cc Cf Co Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So "
              "Zs Zl Zp").split()
SCRIPTS = ("Arabic Armenian Bengali Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi "
           "Han Hangul Hebrew Hiragana Kannada Katakana Khmer Lao Latin Malayalam Myanmar Sinhala "
           "Tamil Telugu Thai Tibetan").split()
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def members(is_member):
    return [c for c in CODE_POINTS if is_member(chr(c))]


def removed_by(pre_tokenizer):
    return members(lambda char: not pre_tokenizer.pre_tokenize_str(char))


def matched(pattern):
    return removed_by(pre_tokenizers.Split(Regex(pattern), "removed"))


def ranges(code_points):
    out = []
    for c in code_points:
        if out and (out[-1][1] == c - 1 or (c == 0xE000 and out[-1][1] == 0xD7FF)):
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def print_rows(words):
    line = "   "
    for word in words:
        if len(line) + len(word) + 2 > 100:
            print(line)
            line = "   "
        line += " " + word + ","
    print(line)


def print_ranges(name, code_points):
    print(f"const CodeRange k{name}[] = {{")
    print_rows(f"{{{a:#x}, {b:#x}}}" for a, b in ranges(code_points))
    print("};")


def print_categories():
    of = ["Cn"] * 0x110000
    for category in CATEGORIES[1:]:
        for c in matched(rf"\p{{{category}}}"):
            of[c] = category
    starts = [0] + [c for c in range(1, 0x110000) if of[c] != of[c - 1]]
    print("// First code point of a run, times 256, plus its index in kCategoryNames.")
    print("const std::uint32_t kCategoryStarts[] = {")
    print_rows(f"{c * 256 + CATEGORIES.index(of[c]):#x}" for c in starts)
    print("};")


def lower_pairs():
    for c in CODE_POINTS:
        lower = normalizers.Lowercase().normalize_str(chr(c))
        if lower != chr(c) and len(lower) == 1:  # all but U+0130
            yield c, ord(lower)


def print_lower_runs():
    """Letters at equal steps whose lower case is equally far away."""
    runs = []  # first, last, step, delta
    for c, lower in lower_pairs():
        run = runs[-1] if runs and runs[-1][3] == lower - c else None
        if run and run[2] == 0 and c - run[1] in (1, 2):
            run[2] = c - run[1]
        if run and run[2] != 0 and c - run[1] == run[2]:
            run[1] = c
        else:
            runs.append([c, c, 0, lower - c])
    print("const LowerRun kLowerRuns[] = {")
    print_rows(f"{{{a:#x}, {b:#x}, {max(step, 1)}, {delta}}}" for a, b, step, delta in runs)
    print("};")


def word_of_rust(char):
    pieces = pre_tokenizers.Whitespace().pre_tokenize_str("a" + char)
    return len(pieces) == 1 and len(pieces[0][0]) == 2


def bert(**flags):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**off, **flags})


def erased_by(normalizer):
    return members(lambda char: not normalizer.normalize_str(char))


def extends_grapheme():
    """Members of Extend and SpacingMark, and U+200D: with a before it, one cluster, which a map of a alone replaces."""
    units = [0] * 1024  # a double-array trie of the one key "a"
    units[0] = 256 << 10
    units[256 ^ ord("a")] = 512 << 10 | 1 << 8 | ord("a")
    charsmap = struct.pack("<I1024I", 4096, *units) + b"X\0"
    normalizer = normalizers.Precompiled(charsmap)
    return members(lambda char: normalizer.normalize_str("a" + char) == "X")


def pieces(text):
    return [piece for piece, _ in pre_tokenizers.UnicodeScripts().pre_tokenize_str(text)]


def split_scripts():
    """Of each code point, a number: 0 for one that never begins a piece, else equal for those that UnicodeScripts keeps
    together. The numbers themselves say nothing."""
    known = ["a", "\u044f"]  # a member of each script

    def is_kept_with(member, char):
        return len(pieces(member + char)) == 1

    def number(char, last):
        if last and is_kept_with(known[last - 1], char) and not is_kept_with(known[last == 1], char):
            return last
        if is_kept_with("a", char) and is_kept_with("\u044f", char):
            return 0
        for i, member in enumerate(known):
            if is_kept_with(member, char):
                return i + 1
        known.append(char)
        return len(known)

    of = [0] * 0x110000
    for c in CODE_POINTS:
        of[c] = number(chr(c), of[c - 1] if c else 0)
    return of


def print_split_scripts():
    of = split_scripts()
    starts = [0] + [c for c in range(1, 0x110000) if of[c] != of[c - 1]]
    print("// First code point of a run, times 256, plus the number of its script.")
    print("const std::uint32_t kSplitScriptStarts[] = {")
    print_rows(f"{c * 256 + of[c]:#x}" for c in starts)
    print("};")


def print_tables(scripts, sets):
    names = ", ".join(f'"{category}"' for category in CATEGORIES)
    print(f"const std::string_view kCategoryNames[] = {{{names}}};")
    print_categories()
    print_lower_runs()
    print_split_scripts()
    for name, code_points in list(scripts.items()) + list(sets.items()):
        print_ranges(name, code_points)
    print("}  // namespace\n")
    print("std::span<const std::string_view> category_names() {\n  return kCategoryNames;\n}")
    print("std::span<const std::uint32_t> category_starts() {\n  return kCategoryStarts;\n}")
    print("std::span<const LowerRun> lower_runs() {\n  return kLowerRuns;\n}")
    print("std::span<const ScriptRanges> script_ranges() {")
    print("  static const ScriptRanges scripts[] = {")
    for script in scripts:
        print(f'      {{"{script}", k{script}}},')
    print("  };\n  return scripts;\n}")
    print("std::span<const std::uint32_t> split_script_starts() {\n  return kSplitScriptStarts;\n}")
    for name in sets:
        snake = "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
        print(f"std::span<const CodeRange> {snake}_ranges() {{\n  return k{name};\n}}")


def main():
    sets = {
        "Space": matched(r"\s"),
        "PatternWord": matched(r"\w"),
        "Word": members(word_of_rust),
        "Numeric": members(
            lambda char: len(pre_tokenizers.Digits(False).pre_tokenize_str("a" + char)) == 2),
        "Punctuation": removed_by(pre_tokenizers.Punctuation("removed")),
        "BertControl": erased_by(bert(clean_text=True)),
        "NonspacingMark": erased_by(bert(strip_accents=True)),
        "CombiningMark": erased_by(normalizers.StripAccents()),
        "GraphemeExtender": extends_grapheme(),
    }
    assert sets["Space"] == removed_by(pre_tokenizers.WhitespaceSplit())
    scripts = {script: matched(rf"\p{{{script}}}") for script in SCRIPTS}
    print("// Generated by scripts/make_unicode_table.py from tokenizers "
          f"{tokenizers.__version__}; do not edit.")
    print("// clang-format off")
    print('#include "core/text/unicode_table.h"\n')
    print("namespace plumb::text {\n\nnamespace {")
    print_tables(scripts, sets)
    print("\n}  // namespace plumb::text")
    print("// clang-format on")


if __name__ == "__main__":
    main()
