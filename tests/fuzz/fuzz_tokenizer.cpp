// A tokenizer.json, a zero byte, and a text; or a first line "spm", "tiktoken", "tekken" or
// "words", a text, a zero byte, and the bytes of such a file. Any bytes: plumb::Error, or a
// tokenizer whose ids are in range, whose offsets go with the same ids, and whose streamed decoding
// is its decoding.
#include <cstdlib>

#include "core/error.h"
#include "core/text/convert.h"
#include "core/text/tokenizer.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_text(const plumb::Tokenizer& tokenizer, std::string_view text) {
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  plumb::StreamDecoder stream(tokenizer);
  std::string streamed;
  for (const std::int32_t id : ids) {
    require(id >= 0 && id < tokenizer.vocab_size());
    streamed += stream.push(id);
  }
  streamed += stream.finish();
  require(streamed == tokenizer.decode(ids));
  const std::vector<plumb::TokenSpan> spans = tokenizer.encode_spans(text);
  require(spans.size() == ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    require(spans[i].id == ids[i] && spans[i].begin <= text.size() && spans[i].end <= text.size());
  }
  tokenizer.encode_literal(text);
  tokenizer.encode_continuation(text);
}

std::string convert(std::string_view kind, std::string_view file) {
  if (kind == "spm") return plumb::text::convert_sentencepiece(file, std::nullopt, "fuzz").json;
  if (kind == "tekken") return plumb::text::convert_tekken(file, "fuzz").json;
  if (kind == "words") {
    return plumb::text::convert_word_list(file, plumb::Json::object(), "fuzz").json;
  }
  const plumb::text::TiktokenOptions options{"\\p{L}+|\\s+|.", {"<|end|>"}};
  return plumb::text::convert_tiktoken(file, options, "fuzz").json;
}

void run(std::string_view input) {
  for (const std::string_view kind : {"spm", "tiktoken", "tekken", "words"}) {
    if (!input.starts_with(kind) || input.substr(kind.size()).substr(0, 1) != "\n") continue;
    input.remove_prefix(kind.size() + 1);
    const std::size_t end = std::min(input.find('\0'), input.size());
    const std::string_view file = input.substr(std::min(end + 1, input.size()));
    return check_text(plumb::Tokenizer::from_json(convert(kind, file), "", "fuzz"),
                      input.substr(0, end));
  }
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string_view text = end < input.size() ? input.substr(end + 1) : "a text, 123 \xFF";
  check_text(plumb::Tokenizer::from_json(input.substr(0, end), "", "fuzz"), text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    run({reinterpret_cast<const char*>(data), size});
  } catch (const plumb::Error&) {
  }
  return 0;
}
