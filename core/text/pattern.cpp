#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/text/pattern.h"

#include <pcre2.h>

#include <algorithm>
#include <map>

#include "core/error.h"

namespace plumb::text {

namespace {

constexpr std::size_t kMaxPatternBytes = 1 << 16;
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 31;
constexpr int kFirstClassByte = 0x80;
// A single match may have to look at all of a long text (a megabyte of spaces).
constexpr std::uint64_t kStepsPerByte = 8;

struct CodeDeleter {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

// Per thread, so that a search allocates nothing.
struct SearchState {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, 8 * 1024 * 1024, nullptr);
  std::string bytes;                   // the text, one byte a character
  std::vector<std::uint32_t> offsets;  // where each character begins in the text

  SearchState() { pcre2_jit_stack_assign(context, nullptr, stack); }
  SearchState(const SearchState&) = delete;
  SearchState& operator=(const SearchState&) = delete;
  ~SearchState() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

SearchState& search_state() {
  thread_local SearchState state;
  return state;
}

std::string hex_byte(int byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  return std::string("\\x") + kDigits[byte / 16] + kDigits[byte % 16];
}

// The bytes 0..255 that stand for members of a set, as a PCRE2 class.
std::string class_source(const std::vector<bool>& members) {
  std::string ranges;
  for (int byte = 0; byte < 256; ++byte) {
    if (!members[byte]) continue;
    int last = byte;
    while (last < 255 && members[last + 1]) ++last;
    ranges += hex_byte(byte) + "-" + hex_byte(last);
    byte = last;
  }
  return ranges.empty() ? "(?!)" : "[" + ranges + "]";
}

}  // namespace

struct Pattern::Compiled {
  std::unique_ptr<pcre2_code, CodeDeleter> code;
  std::vector<std::uint8_t> byte_of;  // of each code point from U+0080 on
  std::string where;
  std::string pattern;
};

namespace {

// Gives each non-ASCII code point a byte: equal bytes for those in the same sets. members[s] says
// which bytes belong to set s.
std::vector<std::uint8_t> divide_code_points(const std::vector<CodeSet>& sets,
                                             std::vector<std::vector<bool>>& members,
                                             const std::string& where) {
  std::vector<char32_t> starts = {0x80};
  for (const CodeSet& set : sets) {
    for (const CodeRange& range : set) {
      starts.push_back(range.first);
      starts.push_back(range.last + 1);
    }
  }
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  std::vector<std::uint8_t> byte_of(kMaxCodePoint + 1);
  std::map<std::vector<bool>, int> byte_of_signature;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    if (starts[i] < 0x80 || starts[i] > kMaxCodePoint) continue;
    std::vector<bool> signature;
    for (const CodeSet& set : sets) signature.push_back(contains(set, starts[i]));
    const int next = kFirstClassByte + static_cast<int>(byte_of_signature.size());
    const auto [found, is_new] = byte_of_signature.emplace(signature, next);
    if (next > 255 && is_new) {
      throw Error(where +
                  ": the pattern tells apart more than 128 kinds of non-ASCII characters; "
                  "write ranges instead of single characters");
    }
    const char32_t end = i + 1 < starts.size() ? starts[i + 1] : kMaxCodePoint + 1;
    std::fill(byte_of.begin() + starts[i], byte_of.begin() + end,
              static_cast<std::uint8_t>(found->second));
  }
  members.assign(sets.size(), std::vector<bool>(256));
  for (std::size_t s = 0; s < sets.size(); ++s) {
    for (int c = 0; c < 0x80; ++c) members[s][c] = contains(sets[s], static_cast<char32_t>(c));
    for (const auto& [signature, byte] : byte_of_signature) members[s][byte] = signature[s];
  }
  return byte_of;
}

pcre2_code* compile_source(const std::string& source, const std::string& where,
                           std::string_view pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(),
                                   PCRE2_MULTILINE | PCRE2_NEVER_UTF | PCRE2_NO_AUTO_CAPTURE,
                                   &error, &offset, context);
  pcre2_compile_context_free(context);
  if (!code) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(error, message, sizeof message);
    throw Error(where + ": pattern '" + std::string(pattern.substr(0, 200)) +
                "': " + reinterpret_cast<const char*>(message));
  }
  return code;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

Pattern Pattern::compile(std::string_view pattern, const std::string& where) {
  if (pattern.size() > kMaxPatternBytes) {
    throw Error(where + ": the pattern has " + std::to_string(pattern.size()) +
                " bytes; at most 65536 are supported");
  }
  const Translation translation = translate_pattern(pattern, where);
  auto compiled = std::make_shared<Compiled>();
  std::vector<std::vector<bool>> members;
  compiled->byte_of = divide_code_points(translation.sets, members, where);
  std::string source;
  for (const Translation::Part& part : translation.parts) {
    source += part.set < 0 ? part.source : class_source(members[part.set]);
  }
  compiled->where = where;
  compiled->pattern = pattern;
  compiled->code.reset(compile_source(source, where, pattern));
  pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE);  // without it, matching is slower
  Pattern result;
  result.compiled_ = std::move(compiled);
  return result;
}

std::vector<Match> Pattern::find_all(std::string_view text) const {
  std::vector<Match> matches;
  find_all(text, matches);
  return matches;
}

void Pattern::find_all(std::string_view text, std::vector<Match>& matches) const {
  matches.clear();
  if (text.size() >= kMaxTextBytes) throw Error(compiled_->where + ": a text of 2 GiB or more");
  SearchState& state = search_state();
  const bool is_mapped = !is_ascii(text);
  if (is_mapped) {
    state.bytes.clear();
    state.offsets.clear();
    for (std::size_t i = 0; i < text.size();) {
      const DecodedChar c = decode_char(text, i);
      state.bytes += static_cast<char>(c.code < 0x80 ? c.code : compiled_->byte_of[c.code]);
      state.offsets.push_back(static_cast<std::uint32_t>(i));
      i += c.length;
    }
    state.offsets.push_back(static_cast<std::uint32_t>(text.size()));
  }
  const std::string_view subject = is_mapped ? std::string_view(state.bytes) : text;
  const auto limit = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(kMatchLimit + kStepsPerByte * subject.size(), UINT32_MAX));
  pcre2_set_match_limit(state.context, limit);
  std::size_t from = 0;
  std::size_t last_end = std::string::npos;
  while (from <= subject.size()) {
    const int rc = pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()),
                               subject.size(), from, 0, state.data, state.context);
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0) {
      throw Error(compiled_->where + ": pattern '" + compiled_->pattern.substr(0, 200) +
                  "' needs more than " + std::to_string(limit) + " steps on a text of " +
                  std::to_string(text.size()) + " bytes; it backtracks without bound");
    }
    const PCRE2_SIZE* found = pcre2_get_ovector_pointer(state.data);
    const std::size_t begin = found[0];
    const std::size_t end = found[1];
    if (begin == end && end == last_end) {
      ++from;
      continue;
    }
    matches.push_back(is_mapped ? Match{state.offsets[begin], state.offsets[end]}
                                : Match{begin, end});
    last_end = end;
    from = end;
  }
}

}  // namespace plumb::text
