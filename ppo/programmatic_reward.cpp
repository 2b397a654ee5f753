#include "ppo/programmatic_reward.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <memory>

#include "core/error.h"
#include "core/log.h"

namespace plumb {

namespace {

// Bounds of one search: catastrophic patterns stop within milliseconds and kilobytes.
constexpr uint32_t kMatchLimit = 1'000'000;
constexpr uint32_t kDepthLimit = 10'000;
constexpr uint32_t kHeapLimitKib = 20'000;

[[noreturn]] void fail(const RewardTerm& term, const std::string& rule) {
  throw Error("reward term of kind " + term.kind + ": " + rule, Exit::usage);
}

// A compiled pattern; searches from any thread.
class Pattern {
 public:
  Pattern(std::string source, const RewardTerm& term) : source_(std::move(source)) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source_.data()), source_.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &error, &offset,
                              nullptr));
    if (!code_) {
      PCRE2_UCHAR message[256];
      pcre2_get_error_message(error, message, sizeof message);
      fail(term, "pattern '" + source_ + "' does not compile at character " +
                     std::to_string(offset) + ": " + reinterpret_cast<const char*>(message));
    }
    limits_.reset(pcre2_match_context_create(nullptr));
    pcre2_set_match_limit(limits_.get(), kMatchLimit);
    pcre2_set_depth_limit(limits_.get(), kDepthLimit);
    pcre2_set_heap_limit(limits_.get(), kHeapLimitKib);
  }

  bool found_in(std::string_view text) const {
    const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
        pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
    const int rc = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                               0, 0, match.get(), limits_.get());
    if (rc >= 0) return true;
    if (rc != PCRE2_ERROR_NOMATCH && !warned_.exchange(true)) {
      PCRE2_UCHAR message[256];
      pcre2_get_error_message(rc, message, sizeof message);
      log::warning("reward pattern '" + source_ + "' counts as not found in a response: " +
                   reinterpret_cast<const char*>(message) + " (said once)");
    }
    return false;
  }

 private:
  std::string source_;
  std::unique_ptr<pcre2_code, void (*)(pcre2_code*)> code_{nullptr, pcre2_code_free};
  std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> limits_{
      nullptr, pcre2_match_context_free};
  mutable std::atomic<bool> warned_{false};
};

TextReward pattern_reward(const std::string& source, const RewardTerm& term) {
  const auto pattern = std::make_shared<const Pattern>(source, term);
  return [pattern](const ScoredText& text) { return pattern->found_in(text.response) ? 1.0 : 0.0; };
}

// The word as a pattern: every ASCII sign escaped, no letter or digit beside it.
std::string word_pattern(const std::string& word) {
  std::string quoted;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = std::isalnum(byte) || byte >= 0x80 || c == '_' || c == ' ';
    if (!is_plain) quoted += '\\';
    quoted += c;
  }
  return "(?i)(?<!\\w)" + quoted + "(?!\\w)";
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool in_word = false;
  for (const char c : text) {
    words += !is_space(c) && !in_word;
    in_word = !is_space(c);
  }
  return words;
}

int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

TextReward length_reward(const RewardTerm& term) {
  if (term.target <= 0) fail(term, "target must be over 0: the wanted length in " + term.unit);
  return [target = term.target, unit = term.unit](const ScoredText& text) {
    const int64_t length = unit == "tokens"  ? text.num_tokens
                           : unit == "words" ? count_words(text.response)
                                             : count_characters(text.response);
    return std::max(0.0, 1.0 - std::abs(static_cast<double>(length) - target) / target);
  };
}

double exact_match(const ScoredText& text) {
  return trimmed(text.response) == trimmed(text.answer) ? 1.0 : 0.0;
}

// As equal as decimal notation lets two computed values be.
double numeric_match(const ScoredText& text) {
  const auto given = last_number(text.response);
  const auto wanted = last_number(text.answer);
  if (!given || !wanted) return 0.0;
  const double scale = std::max({1.0, std::abs(*given), std::abs(*wanted)});
  return std::abs(*given - *wanted) <= 1e-6 * scale ? 1.0 : 0.0;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The digits of a number that starts at `begin`, commas dropped; `begin` moves past it.
std::string read_number(std::string_view text, std::size_t& begin) {
  std::string digits;
  std::size_t i = begin;
  const auto group_follows = [&](std::size_t comma) {
    return comma + 3 < text.size() && is_digit(text[comma + 1]) && is_digit(text[comma + 2]) &&
           is_digit(text[comma + 3]) && (comma + 4 >= text.size() || !is_digit(text[comma + 4]));
  };
  while (i < text.size() && (is_digit(text[i]) || (text[i] == ',' && group_follows(i)))) {
    if (text[i] != ',') digits += text[i];
    ++i;
  }
  if (i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1])) {
    do {
      digits += text[i++];
    } while (i < text.size() && is_digit(text[i]));
  }
  begin = i;
  return digits;
}

}  // namespace

std::optional<double> last_number(std::string_view text) {
  const std::size_t mark = text.rfind("####");
  if (mark != std::string_view::npos) text.remove_prefix(mark + 4);
  std::optional<double> number;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_digit(text[i])) {
      ++i;
      continue;
    }
    // "-3" is negative, "5-3" and "10-3" are not.
    std::size_t before = i;
    if (before > 0 && text[before - 1] == '$') --before;
    const bool is_negative =
        before > 0 && text[before - 1] == '-' &&
        (before == 1 || !std::isalnum(static_cast<unsigned char>(text[before - 2])));
    const std::string digits = read_number(text, i);
    double value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    number = is_negative ? -value : value;
    // gsm8k: the answer is the first number after the mark.
    if (mark != std::string_view::npos) break;
  }
  return number;
}

bool needs_answer(const RewardTerm& term) {
  return term.kind == "exact_match" || term.kind == "numeric_match";
}

TextReward make_text_reward(const RewardTerm& term) {
  if (term.kind == "regex") {
    if (term.pattern.empty()) fail(term, "pattern is empty: give the pattern to search for");
    return pattern_reward(term.pattern, term);
  }
  if (term.kind == "word") {
    if (term.word.empty()) fail(term, "word is empty: give the word that should appear");
    return pattern_reward(word_pattern(term.word), term);
  }
  if (term.kind == "length") return length_reward(term);
  if (term.kind == "exact_match") return exact_match;
  if (term.kind == "numeric_match") return numeric_match;
  fail(term, "no such reward of text; known: regex, word, length, exact_match, numeric_match");
}

}  // namespace plumb
