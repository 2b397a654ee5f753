// Tokenizers made from a corpus. The result does not depend on the number of threads, and is
// written as a `tokenizer.json` that the `tokenizers` package and transformers read with the same
// ids. BPE merges are those of Hugging Face's BpeTrainer over the same texts.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/tokenizer.h"

namespace plumb {

enum class TokenizerKind {
  bpe,        // byte-level BPE with GPT-2's pattern
  word,       // words, numbers and punctuation; others become <unk>; decoded with spaces between
  character,  // single characters; others become <unk>
};
TokenizerKind parse_tokenizer_kind(std::string_view name, const std::string& source);

struct TokenizerTraining {
  TokenizerKind kind = TokenizerKind::bpe;
  std::int64_t vocab_size = 8192;  // at most; special tokens and, for bpe, 256 bytes included
  std::int64_t min_frequency = 2;  // of a pair (bpe), a word or a character
  std::string bos_token;           // put before every text when not empty
  std::string eos_token = "<|endoftext|>";
  std::string pad_token;
  std::vector<std::string> special_tokens;  // further ones
  std::int64_t model_max_length = 0;        // 0: not written
  int threads = 0;                          // 0: one a core
};

// Counts texts as they come, so that the corpus need not be held.
class TokenizerTrainer {
 public:
  explicit TokenizerTrainer(TokenizerTraining options);  // Error on options that cannot hold
  TokenizerTrainer(TokenizerTrainer&&) noexcept;
  TokenizerTrainer& operator=(TokenizerTrainer&&) noexcept;
  ~TokenizerTrainer();

  void add(std::span<const std::string> texts);  // by all threads; each text apart
  Tokenizer finish();                            // Error when nothing was counted

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Tokenizer train_tokenizer(const TokenizerTraining& options, std::span<const std::string> texts);
// Each file is one text. It is read in parts, cut where every pattern cuts anyway.
Tokenizer train_tokenizer_from_files(const TokenizerTraining& options,
                                     std::span<const std::string> paths);

}  // namespace plumb
