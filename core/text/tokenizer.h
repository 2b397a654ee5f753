// A tokenizer read from Hugging Face's `tokenizer.json`, or from the files of other libraries. Ids
// and texts equal those of the `tokenizers` package (0.23.3) for every type that is supported; any
// other type is refused by name. Text that is not UTF-8 is read as Python's and Rust's lossy
// decoders do: each maximal invalid part becomes U+FFFD. A Tokenizer is immutable: any number of
// threads may use one.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

struct TokenizerParts;  // core/text/tokenizer_parts.h
class DecodeStream;     // core/text/decoder.h

enum class SpecialText { recognised, ordinary };  // what the texts of special tokens are
enum class SpecialTokens { skip, keep };  // what decode does with added tokens that are special

// A token and the part of the text that it stands for, in code points, as Hugging Face's `offsets`
// say; {0, 0} for one that was put around the text. Code points are those of the text with U+FFFD
// for what is not UTF-8. Where a character is several tokens, each has all of it.
struct TokenSpan {
  std::int32_t id = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

class Tokenizer {
 public:
  // Reads FOLDER/tokenizer.json, and tokenizer_config.json, special_tokens_map.json and
  // chat_template.jinja where present. A folder without a tokenizer.json may hold a tokenizer.model
  // or spiece.model (SentencePiece), a tiktoken file, a tekken.json, or vocab.json with merges.txt:
  // core/text/convert.h. Throws Error on anything malformed or not supported.
  static Tokenizer load(const std::string& folder);
  // The same from bytes; an empty config is no config. `source` is named in errors.
  static Tokenizer from_json(std::string_view tokenizer_json,
                             std::string_view tokenizer_config_json, const std::string& source);

  // With what the post-processor adds (Hugging Face's add_special_tokens=True).
  std::vector<std::int32_t> encode(std::string_view text) const;
  // The same, with offsets. Slower: encode() where they are not needed.
  std::vector<TokenSpan> encode_spans(std::string_view text) const;
  // Without it. The texts of added tokens are still recognised, as Hugging Face does.
  std::vector<std::int32_t> encode_plain(std::string_view text) const;
  // As encode_plain, but the texts of special tokens are ordinary text: for what a user wrote.
  std::vector<std::int32_t> encode_literal(std::string_view text) const;
  // The tokens of a text that goes on from another: no space or mark is put before it, as
  // SentencePiece-style tokenizers do at the start.
  std::vector<std::int32_t> encode_continuation(std::string_view text,
                                                SpecialText special = SpecialText::ordinary) const;
  // What encode() puts before any text: BOS, or nothing.
  std::vector<std::int32_t> prefix_ids() const;

  // An id without a token decodes to nothing (a model may have more rows than tokens).
  std::string decode(std::span<const std::int32_t> ids,
                     SpecialTokens special = SpecialTokens::skip) const;

  std::int64_t vocab_size() const;  // highest id + 1: the embedding needs at least these rows
  std::optional<std::int32_t> bos_id() const;
  std::optional<std::int32_t> eos_id() const;
  std::optional<std::int32_t> pad_id() const;
  std::optional<std::int32_t> unk_id() const;
  std::optional<std::int32_t> token_to_id(std::string_view token) const;
  std::string id_to_token(std::int32_t id) const;  // empty when there is none
  bool is_special(std::int32_t id) const;

  // The bytes of tokenizer.json as read, or as made from the file that stood for it.
  const std::string& json() const;
  const std::string& config() const;   // of tokenizer_config.json, or empty
  std::string hash() const;            // xxh3-128 of json() and config(), in hex
  std::string jinja_template() const;  // chat_template of the config or .jinja file, or empty
  // Chat templates in files of their own: of chat_template.jinja, called "default", and of
  // additional_chat_templates/NAME.jinja.
  std::vector<std::pair<std::string, std::string>> template_files() const;

 private:
  friend class StreamDecoder;
  friend void save_tokenizer(const Tokenizer& tokenizer, const std::string& folder);
  friend Tokenizer with_chat_template(const Tokenizer& tokenizer, const std::string& jinja);
  explicit Tokenizer(std::shared_ptr<const TokenizerParts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const TokenizerParts> parts_;
};

// Decodes ids as they arrive. The texts that push() and finish() return, joined, equal decode() of
// all ids: what a later id may still change (an unfinished character, a run of byte tokens, a
// space that may be stripped) is kept back.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, SpecialTokens special = SpecialTokens::skip);
  StreamDecoder(StreamDecoder&&) noexcept;
  StreamDecoder& operator=(StreamDecoder&&) noexcept;
  ~StreamDecoder();

  std::string push(std::int32_t id);
  std::string finish();  // the rest; the decoder then begins anew

 private:
  Tokenizer tokenizer_;
  SpecialTokens special_;
  std::unique_ptr<DecodeStream> stream_;
};

// encode() of each text, by `threads` threads (0: one a core); the order is that of `texts`.
std::vector<std::vector<std::int32_t>> encode_many(const Tokenizer& tokenizer,
                                                   std::span<const std::string> texts, int threads);

// Writes the files that load() read, byte for byte.
void save_tokenizer(const Tokenizer& tokenizer, const std::string& folder);
// The same tokenizer with `jinja` as its one chat template, in tokenizer_config.json: files of
// templates, which count before it, are dropped.
Tokenizer with_chat_template(const Tokenizer& tokenizer, const std::string& jinja);

}  // namespace plumb
