#include <algorithm>

#include "core/error.h"
#include "core/text/byte_level.h"
#include "core/text/pre_tokenizer.h"

namespace plumb::text {

namespace {

constexpr std::size_t kMaxSteps = 256;
constexpr const char* kSupported =
    "Sequence, ByteLevel, Split, Digits, Punctuation, Metaspace, Whitespace, WhitespaceSplit, "
    "CharDelimiterSplit, BertPreTokenizer, UnicodeScripts, FixedLength";

SplitBehavior parse_behavior(const JsonView& view) {
  const std::string name = view.string();
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  view.fail("expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

const Pattern& gpt2_pattern() {
  static const Pattern pattern = Pattern::compile(kGpt2Pattern, "ByteLevel");
  return pattern;
}

void parse_byte_level(const JsonView& view, std::vector<PreTokenizerStep>& steps) {
  if (view["add_prefix_space"].boolean()) steps.emplace_back(PrefixSpaceStep{});
  if (view.boolean_or("use_regex", true)) {
    steps.emplace_back(SplitStep{{"", gpt2_pattern()}, SplitBehavior::isolated, false});
  }
  steps.emplace_back(ByteMapStep{});
}

// What the step makes of a piece depends on nothing but the piece's text.
bool is_local(const PreTokenizerStep& step) {
  if (std::holds_alternative<PrefixSpaceStep>(step)) return false;
  const auto* metaspace = std::get_if<MetaspaceStep>(&step);
  return !metaspace || metaspace->prepend == PrependScheme::never;
}

void parse_into(const JsonView& view, std::vector<PreTokenizerStep>& steps) {
  const std::string type = view.type();
  if (steps.size() >= kMaxSteps) view.fail("more than 256 pre-tokenizers are not supported");
  if (type == "Sequence") {
    for (const JsonView& item : view["pretokenizers"].items()) parse_into(item, steps);
  } else if (type == "ByteLevel") {
    parse_byte_level(view, steps);
  } else if (type == "Split") {
    steps.emplace_back(SplitStep{parse_finder(view["pattern"]), parse_behavior(view["behavior"]),
                                 view["invert"].boolean()});
  } else if (type == "CharDelimiterSplit") {
    const Finder what{from_char(view["delimiter"].character()), std::nullopt};
    steps.emplace_back(SplitStep{what, SplitBehavior::removed, false});
  } else if (type == "Digits") {
    steps.emplace_back(DigitsStep{view["individual_digits"].boolean()});
  } else if (type == "Punctuation") {
    steps.emplace_back(PunctuationStep{view.has("behavior") ? parse_behavior(view["behavior"])
                                                            : SplitBehavior::isolated});
  } else if (type == "Metaspace") {
    steps.emplace_back(parse_metaspace(view));
  } else if (type == "Whitespace") {
    steps.emplace_back(PlainStep::words);
  } else if (type == "WhitespaceSplit") {
    steps.emplace_back(PlainStep::spaces);
  } else if (type == "BertPreTokenizer") {
    steps.emplace_back(PlainStep::bert);
  } else if (type == "UnicodeScripts") {
    steps.emplace_back(PlainStep::scripts);
  } else if (type == "FixedLength") {
    const std::int64_t length = view.has("length") ? view["length"].integer(1, 1 << 30) : 5;
    steps.emplace_back(FixedLengthStep{static_cast<std::size_t>(length)});
  } else {
    throw Error(view.where() + ": the pre-tokenizer '" + type +
                "' is not supported (supported: " + kSupported + ")");
  }
}

}  // namespace

MetaspaceStep parse_metaspace(const JsonView& view) {
  MetaspaceStep step;
  step.replacement = view["replacement"].character();
  const std::string scheme = view.string_or("prepend_scheme", "always");
  if (scheme == "first") {
    step.prepend = PrependScheme::first;
  } else if (scheme == "never") {
    step.prepend = PrependScheme::never;
  } else if (scheme != "always") {
    view["prepend_scheme"].fail("expected first, never or always");
  }
  if (!view.boolean_or("add_prefix_space", true)) {
    if (view.has("prepend_scheme") && step.prepend != PrependScheme::never) {
      view.fail("add_prefix_space and prepend_scheme disagree");
    }
    step.prepend = PrependScheme::never;
  }
  step.is_split = view.boolean_or("split", true);
  return step;
}

PreTokenizer parse_pre_tokenizer(const JsonView& view) {
  PreTokenizer pre_tokenizer;
  auto& steps = pre_tokenizer.steps;
  parse_into(view, steps);
  const auto map = std::find_if(steps.begin(), steps.end(), [](const PreTokenizerStep& step) {
    return std::holds_alternative<ByteMapStep>(step);
  });
  const bool are_local = std::all_of(map, steps.end(), is_local);
  pre_tokenizer.first_local =
      are_local ? static_cast<std::size_t>(map - steps.begin()) : steps.size();
  return pre_tokenizer;
}

}  // namespace plumb::text
