#include "core/text/decoder.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/text/byte_level.h"

namespace plumb {

namespace {

using Part = DecodeStream::Part;
using State = DecodeStream::StageState;
using Parts = std::vector<Part>;

// Appends `text`, which continues the one token that a stage makes of all.
void emit_fused(Parts& out, State& state, std::string text) {
  out.push_back({std::move(text), !state.has_begun});
  state.has_begun = true;
}

// Valid UTF-8 for the bytes so far; an unfinished character at the end stays in `held`.
std::string take_valid(std::string& held, bool is_last) {
  std::string out;
  std::size_t i = 0;
  while (i < held.size()) {
    if (!is_last && text::is_unfinished_char(held, i)) break;
    const text::DecodedChar c = text::decode_char(held, i);
    out += c.is_valid ? std::string_view(held).substr(i, c.length) : text::kReplacement;
    i += c.length;
  }
  held.erase(0, i);
  return out;
}

// Whole tokens only reach the stages below: those that make parts are Fuse and ByteLevel, after
// which a stage sees one token. Such a token's parts are told apart by begins_token.

void run_stage(const text::ByteLevelDecode&, State& state, Part part, Parts&) {
  text::append_from_byte_level(part.text, state.held);
}
void settle_stage(const text::ByteLevelDecode&, State& state, Parts& out) {
  std::string ready = take_valid(state.held, false);
  if (!ready.empty()) emit_fused(out, state, std::move(ready));
}
// Other stages pass on all they can as they run.
template <class Step>
void settle_stage(const Step&, State&, Parts&) {}

void end_stage(const text::ByteLevelDecode&, State& state, Parts& out) {
  emit_fused(out, state, take_valid(state.held, true));
}

// <0x41> is the byte 0x41; anything else is none. As `tokenizers`, and Rust's from_str_radix, which
// takes a plus sign.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (std::size_t i = 3; i < 5; ++i) {
    const char c = token[i];
    if (i == 3 && c == '+') continue;
    const bool is_digit = c >= '0' && c <= '9';
    const char lower = static_cast<char>(c | 0x20);
    if (!is_digit && (lower < 'a' || lower > 'f')) return std::nullopt;
    value = value * 16 + (is_digit ? c - '0' : lower - 'a' + 10);
  }
  return static_cast<char>(value);
}

void end_stage(const text::ByteFallbackDecode&, State& state, Parts& out) {
  if (state.held.empty()) return;
  if (text::is_valid_utf8(state.held)) {
    out.push_back({state.held, true});
  } else {
    for (std::size_t i = 0; i < state.held.size(); ++i) {
      out.push_back({std::string(text::kReplacement), true});
    }
  }
  state.held.clear();
}
void run_stage(const text::ByteFallbackDecode& step, State& state, Part part, Parts& out) {
  const std::optional<char> byte = part.begins_token ? byte_of(part.text) : std::nullopt;
  if (byte) {
    state.held += *byte;
    return;
  }
  end_stage(step, state, out);
  out.push_back(std::move(part));
}

void run_stage(const text::FuseDecode&, State& state, Part part, Parts& out) {
  emit_fused(out, state, std::move(part.text));
}
void end_stage(const text::FuseDecode&, State&, Parts&) {}

void run_stage(const text::JoinDecode&, State& state, Part part, Parts& out) {
  const bool needs_space = state.has_begun && part.begins_token;
  emit_fused(out, state, (needs_space ? " " : "") + part.text);
}
void end_stage(const text::JoinDecode&, State&, Parts&) {}

void release_bpe(const text::BpeDecode& step, State& state, const char* space, Parts& out) {
  if (!state.is_held) return;
  const text::Replace replace{{step.suffix, std::nullopt}, space};
  out.push_back({text::replace_all(replace, state.held), true});
  state.is_held = false;
}
void run_stage(const text::BpeDecode& step, State& state, Part part, Parts& out) {
  if (!part.begins_token) {
    state.held += part.text;
    return;
  }
  release_bpe(step, state, " ", out);
  state.held = std::move(part.text);
  state.is_held = true;
}
void end_stage(const text::BpeDecode& step, State& state, Parts& out) {
  release_bpe(step, state, "", out);
}

void run_stage(const text::MetaspaceDecode& step, State& state, Part part, Parts& out) {
  const bool is_first = !state.has_begun || (!part.begins_token && state.is_in_start);
  state.has_begun = true;
  state.is_in_start = is_first;
  const char* space = is_first && step.drops_first ? "" : " ";
  const text::Replace replace{{text::from_char(step.replacement), std::nullopt}, space};
  out.push_back({text::replace_all(replace, part.text), part.begins_token});
}
void end_stage(const text::MetaspaceDecode&, State&, Parts&) {}

// Cuts up to `stop` characters equal to `content` from the end of `text`, which is then emitted.
void release_strip(const text::StripDecode& step, State& state, Parts& out, bool ends_token) {
  const std::string mark = text::from_char(step.content);
  std::string& held = state.held;
  std::size_t keep = held.size();
  for (std::size_t n = 0; n < step.stop && keep >= mark.size(); ++n) {
    if (std::string_view(held).substr(keep - mark.size(), mark.size()) != mark) break;
    keep -= mark.size();
  }
  const std::string tail = held.substr(keep);
  held.resize(keep);
  if (!held.empty()) out.push_back({held, false});
  held = ends_token ? "" : tail;
}

void run_stage(const text::StripDecode& step, State& state, Part part, Parts& out) {
  const std::string mark = text::from_char(step.content);
  if (part.begins_token) {
    if (state.has_begun) release_strip(step, state, out, true);
    out.push_back({"", true});
    state.has_begun = true;
    state.is_in_start = true;
    state.cut = 0;
  }
  std::string_view rest = part.text;
  while (state.is_in_start && !rest.empty()) {
    state.is_in_start = state.cut < step.start && rest.starts_with(mark);
    if (!state.is_in_start) break;
    rest.remove_prefix(mark.size());
    ++state.cut;
  }
  state.held += rest;
  release_strip(step, state, out, false);
}
void end_stage(const text::StripDecode& step, State& state, Parts& out) {
  if (state.has_begun) release_strip(step, state, out, true);
}

// WordPiece's clean-up of English, within one token.
std::string cleaned(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [from, to] : kRules) {
    if (text.find(from) == std::string::npos) continue;
    text = text::replace_all({{std::string(from), std::nullopt}, std::string(to)}, text);
  }
  return text;
}

void run_stage(const text::WordPieceDecode& step, State& state, Part part, Parts& out) {
  if (state.has_begun) {
    if (part.text.starts_with(step.prefix)) {
      part.text.erase(0, step.prefix.size());
    } else {
      part.text.insert(0, " ");
    }
  }
  state.has_begun = true;
  out.push_back({step.cleans ? cleaned(std::move(part.text)) : std::move(part.text), true});
}
void end_stage(const text::WordPieceDecode&, State&, Parts&) {}

void run_stage(const text::CtcDecode& step, State& state, Part part, Parts& out) {
  if (state.is_held && state.held == part.text) return;
  state.is_held = true;
  state.held = part.text;
  std::string text = text::replace_all({{step.pad, std::nullopt}, ""}, part.text);
  if (step.cleans) {
    text = text::replace_all({{step.delimiter, std::nullopt}, " "}, cleaned(std::move(text)));
  }
  if (!text.empty()) out.push_back({std::move(text), true});
}
void end_stage(const text::CtcDecode&, State&, Parts&) {}

void run_stage(const text::Replace& step, State&, Part part, Parts& out) {
  out.push_back({text::replace_all(step, part.text), part.begins_token});
}
void end_stage(const text::Replace&, State&, Parts&) {}

}  // namespace

DecodeStream::DecodeStream(const text::Decoder& decoder)
    : decoder_(decoder), states_(decoder.size()) {}

std::string DecodeStream::run(Parts parts, bool is_last) {
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    Parts next;
    next.reserve(parts.size());
    std::visit(
        [&](const auto& step) {
          for (Part& part : parts) run_stage(step, states_[i], std::move(part), next);
          if (is_last) {
            end_stage(step, states_[i], next);
          } else {
            settle_stage(step, states_[i], next);
          }
        },
        decoder_[i]);
    parts = std::move(next);
  }
  std::string out;
  for (const Part& part : parts) out += part.text;
  return out;
}

std::string DecodeStream::push(std::string_view token) {
  return run({{std::string(token), true}}, false);
}

std::string DecodeStream::all(std::span<const std::string_view> tokens) {
  Parts parts;
  parts.reserve(tokens.size());
  for (const std::string_view token : tokens) parts.push_back({std::string(token), true});
  std::string text = run(std::move(parts), true);
  states_.assign(decoder_.size(), {});
  return text;
}

std::string DecodeStream::finish() {
  std::string rest = run({}, true);
  states_.assign(decoder_.size(), {});
  return rest;
}

}  // namespace plumb
