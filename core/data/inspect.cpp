#include "core/data/inspect.h"

#include <algorithm>
#include <span>
#include <sstream>

namespace plumb {
namespace {

struct Marks {
  std::string trained_begin, trained_end, markup_begin, markup_end;
};

Marks marks_for(Marking marking) {
  if (marking == Marking::brackets) return {"[[", "]]", "", ""};
  return {"\x1b[32m", "\x1b[0m", "\x1b[2m", "\x1b[0m"};
}

// Text of the data reaches a terminal: its control characters must not.
std::string printable(const std::string& text) {
  std::string out;
  constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= 0x20 && byte != 0x7F) || c == '\n' || c == '\t') {
      out += c;
    } else {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

// What a span adds to the text before it: decoded alone, a SentencePiece-style span would lose the
// space it begins with.
std::string added_text(const Sequence& sequence, const Span& span, const Tokenizer& tokenizer) {
  const std::span<const std::int32_t> ids(sequence.tokens);
  const auto begin = static_cast<std::size_t>(span.begin);
  const auto end = static_cast<std::size_t>(span.end);
  const std::string before = tokenizer.decode(ids.first(begin), SpecialTokens::keep);
  const std::string after = tokenizer.decode(ids.first(end), SpecialTokens::keep);
  if (after.starts_with(before)) return after.substr(before.size());
  return tokenizer.decode(ids.subspan(begin, end - begin), SpecialTokens::keep);
}

std::string show(const Sequence& sequence, const Tokenizer& tokenizer, const Marks& marks) {
  std::string out;
  for (const Span& span : sequence.spans) {
    const std::string text = printable(added_text(sequence, span, tokenizer));
    if (span.is_trained) {
      out += marks.trained_begin + text + marks.trained_end;
    } else if (span.role == Role::markup) {
      out += marks.markup_begin + text + marks.markup_end;
    } else {
      out += text;
    }
  }
  return out;
}

std::string chosen_title(double margin) {
  if (margin == 0.0) return "chosen:\n";
  std::ostringstream out;
  out << "chosen, by a margin of " << margin << ":\n";
  return out.str();
}

std::string title(const Sample& sample, std::int64_t index) {
  std::int64_t trained = 0;
  for (const Sequence& sequence : sample.sequences) trained += trained_tokens(sequence);
  return "--- sample " + std::to_string(index) + " (row " + std::to_string(sample.row) +
         "): " + std::to_string(sample.length()) + " tokens, " + std::to_string(trained) +
         " trained\n";
}

}  // namespace

std::string inspect(const Dataset& dataset, const Tokenizer& tokenizer,
                    const InspectOptions& options) {
  const Marks marks = marks_for(options.marking);
  const bool is_pairs = dataset.store().kind() == SampleKind::preference;
  const std::int64_t end = std::min(options.first + options.count, dataset.size());
  std::string out;
  for (std::int64_t i = options.first; i < end; ++i) {
    const Sample sample = dataset.sample(i);
    out += title(sample, i);
    if (is_pairs) out += chosen_title(sample.margin);
    out += show(sample.sequences.front(), tokenizer, marks) + "\n";
    if (is_pairs) out += "rejected:\n" + show(sample.rejected(), tokenizer, marks) + "\n";
    if (!sample.answer.empty()) out += "answer: " + printable(sample.answer) + "\n";
  }
  return out + "--- data\n" + dataset.store().accounting().describe() + "\n";
}

}  // namespace plumb
