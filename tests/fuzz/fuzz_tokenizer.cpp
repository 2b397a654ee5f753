// A tokenizer.json, a zero byte, and a text. Any bytes: plumb::Error, or a tokenizer whose ids are
// in range and whose streamed decoding is its decoding.
#include <cstdlib>

#include "core/error.h"
#include "core/text/tokenizer.h"

namespace {

void check_text(const plumb::Tokenizer& tokenizer, std::string_view text) {
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  plumb::StreamDecoder stream(tokenizer);
  std::string streamed;
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
    streamed += stream.push(id);
  }
  streamed += stream.finish();
  if (streamed != tokenizer.decode(ids)) std::abort();
  tokenizer.encode_literal(text);
  tokenizer.encode_continuation(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string_view text = end < input.size() ? input.substr(end + 1) : "a text, 123 \xFF";
  try {
    check_text(plumb::Tokenizer::from_json(input.substr(0, end), "", "fuzz"), text);
  } catch (const plumb::Error&) {
  }
  return 0;
}
