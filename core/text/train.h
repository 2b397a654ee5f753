// Tokenizers made from a corpus. The result is deterministic (it does not depend on the number of
// threads) and is written as a `tokenizer.json` that the `tokenizers` package and transformers read
// with the same ids. BPE merges are those of Hugging Face's BpeTrainer.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/text/tokenizer.h"

namespace plumb {

enum class TokenizerKind {
  bpe,   // byte-level BPE with GPT-2's pattern
  word,  // words, numbers and punctuation, divided at white space; rare words become <unk>
  character,
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

// Each file is text; a text's end is a word's end. Texts longer than memory's share are read by
// lines, as Hugging Face's trainer does: a line, with its newline, is one text.
Tokenizer train_tokenizer(const TokenizerTraining& options, std::span<const std::string> texts);
Tokenizer train_tokenizer_from_files(const TokenizerTraining& options,
                                     std::span<const std::string> paths);

}  // namespace plumb
