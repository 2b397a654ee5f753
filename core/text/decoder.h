// The `decoder` of tokenizer.json as a chain of stages over a stream of tokens. Decoding a whole
// text and decoding token by token are the same code, so they cannot disagree: each stage passes on
// what no later token can change and keeps the rest back.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/text/json_view.h"
#include "core/text/normalizer.h"
#include "core/text/pre_tokenizer.h"

namespace plumb::text {

struct ByteLevelDecode {};
struct ByteFallbackDecode {};
struct FuseDecode {};
struct JoinDecode {};  // no decoder: tokens with spaces between
struct BpeDecode {
  std::string suffix;  // becomes a space, but at the end
};
struct StripDecode {
  char32_t content = ' ';
  std::size_t start = 0;  // characters to cut at most
  std::size_t stop = 0;
};
struct MetaspaceDecode {
  char32_t replacement = 0x2581;
  bool drops_first = true;
};

struct WordPieceDecode {
  std::string prefix = "##";  // of tokens that go on from the one before
  bool cleans = true;         // takes spaces before punctuation away
};
struct CtcDecode {  // a token that repeats the one before is dropped
  std::string pad;
  std::string delimiter;  // becomes a space
  bool cleans = true;
};

using DecoderStep =
    std::variant<ByteLevelDecode, ByteFallbackDecode, FuseDecode, JoinDecode, BpeDecode,
                 StripDecode, MetaspaceDecode, Replace, WordPieceDecode, CtcDecode>;
using Decoder = std::vector<DecoderStep>;

Decoder parse_decoder(const JsonView& view);

}  // namespace plumb::text

namespace plumb {

// The running state of one decoder over one sequence. `decoder` must outlive it.
class DecodeStream {
 public:
  explicit DecodeStream(const text::Decoder& decoder);

  std::string push(std::string_view token);
  std::string finish();
  // push() of each and finish(), in fewer passes: from the beginning.
  std::string all(std::span<const std::string_view> tokens);

  // Between stages, a token travels in parts: the first begins it, the others continue it.
  struct Part {
    std::string text;
    bool begins_token = true;
  };
  struct StageState {
    bool has_begun = false;    // a first token was seen
    bool is_in_start = false;  // Strip: the token's start may still be cut
    std::size_t cut = 0;       // Strip: characters cut from the current token's start
    std::string held;          // bytes or characters kept back
    bool is_held = false;      // BpeDecode: a token is kept back whole; Ctc: `held` was the last
  };

 private:
  std::string run(std::vector<Part> parts, bool is_last);

  const text::Decoder& decoder_;
  std::vector<StageState> states_;
};

}  // namespace plumb
