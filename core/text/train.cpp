#include "core/text/train.h"

#include <algorithm>
#include <fstream>
#include <mutex>

#include "core/error.h"
#include "core/text/bpe_train.h"
#include "core/text/byte_level.h"
#include "core/text/parallel.h"
#include "core/text/pre_tokenizer.h"
#include "core/text/train_json.h"
#include "core/text/unicode.h"

namespace plumb {

namespace {

constexpr std::size_t kPartBytes = 4 << 20;
constexpr std::size_t kMaxPartBytes = 64 << 20;  // then a text without newlines is cut anywhere

void merge_counts(text::WordCounts& into, const text::WordCounts& from) {
  for (const auto& [word, count] : from) into[word] += count;
}

void check_options(const TokenizerTraining& options) {
  const bool is_bpe = options.kind == TokenizerKind::bpe;
  const std::int64_t special = static_cast<std::int64_t>(text::special_tokens_of(options).size());
  const std::int64_t least = special + (is_bpe ? 256 : 1);
  if (options.vocab_size < least) {
    throw Error("tokenizer.vocab_size is " + std::to_string(options.vocab_size) + "; " +
                    std::to_string(special) + " special tokens and " +
                    (is_bpe ? "256 bytes" : "a token") + " need at least " + std::to_string(least),
                Exit::usage);
  }
}

// Words or characters by falling count, then in order of their bytes (WordLevelTrainer).
std::vector<std::string> frequent_words(const text::WordCounts& counts,
                                        std::vector<std::string> tokens,
                                        const TokenizerTraining& options) {
  std::vector<std::pair<std::int64_t, std::string>> ordered;
  for (const auto& [word, count] : counts) {
    const bool is_special = std::find(tokens.begin(), tokens.end(), word) != tokens.end();
    if (count >= options.min_frequency && !is_special) ordered.emplace_back(-count, word);
  }
  std::sort(ordered.begin(), ordered.end());
  for (const auto& [count, word] : ordered) {
    if (static_cast<std::int64_t>(tokens.size()) >= options.vocab_size) break;
    tokens.push_back(word);
  }
  return tokens;
}

std::vector<std::string> with_byte_alphabet(std::vector<std::string> tokens) {
  std::vector<std::string> alphabet;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    alphabet.push_back(text::to_byte_level({&c, 1}));
  }
  std::sort(alphabet.begin(), alphabet.end());  // UTF-8 sorts as code points do
  for (const std::string& character : alphabet) {
    const bool is_known = std::find(tokens.begin(), tokens.end(), character) != tokens.end();
    if (!is_known) tokens.push_back(character);
  }
  return tokens;
}

// Where `text` may be cut, at or before its end: after a newline between two characters that are
// no spaces, where GPT-2's pattern, Whitespace and the character pattern all cut. npos: nowhere
// after `from`.
std::size_t last_cut(std::string_view text, std::size_t from) {
  const auto is_plain = [](char c) { return c > ' ' && c < 0x7F; };
  for (std::size_t i = text.size(); i-- > std::max<std::size_t>(from, 2);) {
    if (text[i - 1] == '\n' && is_plain(text[i]) && is_plain(text[i - 2])) return i;
  }
  return std::string::npos;
}

// Reads a file part by part; `rest` carries what follows the last cut.
class PartReader {
 public:
  explicit PartReader(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    if (!file_) throw Error(path + ": cannot be opened to train a tokenizer on");
  }

  bool next(std::string& part) {
    while (!is_done_) {
      std::string block(kPartBytes, '\0');
      file_.read(block.data(), static_cast<std::streamsize>(block.size()));
      block.resize(static_cast<std::size_t>(file_.gcount()));
      if (file_.bad()) throw Error(path_ + ": cannot be read");
      is_done_ = block.empty();
      const std::size_t seen = rest_.size();
      rest_ += block;
      const bool is_whole = is_done_ || rest_.size() > kMaxPartBytes;
      const std::size_t cut = is_whole ? rest_.size() : last_cut(rest_, seen);
      if (cut == std::string::npos) continue;
      part = rest_.substr(0, cut);
      rest_.erase(0, cut);
      if (!part.empty()) return true;
    }
    return false;
  }

 private:
  std::string path_;
  std::ifstream file_;
  std::string rest_;
  bool is_done_ = false;
};

}  // namespace

struct TokenizerTrainer::State {
  TokenizerTraining options;
  text::PreTokenizer pre_tokenizer;
  text::WordCounts counts;
  std::mutex lock;

  void count(const std::string& input) {
    std::string storage;
    text::PieceList list = text::PieceList::of(
        text::TrackedText::of(text::to_valid(input, storage), 0, false), text::TextPosition::start);
    text::pre_tokenize(pre_tokenizer, list);
    text::WordCounts own;
    for (const text::Piece& piece : list.pieces) {
      const std::string_view word = list.view(piece);
      const auto found = own.find(word);
      if (found != own.end()) {
        ++found->second;
      } else {
        own.emplace(word, 1);
      }
    }
    const std::lock_guard guard(lock);
    merge_counts(counts, own);
  }
};

TokenizerTrainer::TokenizerTrainer(TokenizerTraining options) : state_(std::make_unique<State>()) {
  check_options(options);
  const Json json = text::pre_tokenizer_json(options.kind);
  state_->pre_tokenizer = text::parse_pre_tokenizer({json, "pre_tokenizer"});
  state_->options = std::move(options);
}

TokenizerTrainer::TokenizerTrainer(TokenizerTrainer&&) noexcept = default;
TokenizerTrainer& TokenizerTrainer::operator=(TokenizerTrainer&&) noexcept = default;
TokenizerTrainer::~TokenizerTrainer() = default;

void TokenizerTrainer::add(std::span<const std::string> texts) {
  text::for_each_index(texts.size(), state_->options.threads,
                       [&](std::size_t i) { state_->count(texts[i]); });
}

Tokenizer TokenizerTrainer::finish() {
  const TokenizerTraining& options = state_->options;
  if (state_->counts.empty()) throw Error("there is no text to train a tokenizer on");
  std::vector<std::string> tokens = text::special_tokens_of(options);
  std::vector<std::pair<std::string, std::string>> merges;
  if (options.kind == TokenizerKind::bpe) {
    text::BpeTraining trained =
        text::train_bpe(state_->counts, with_byte_alphabet(std::move(tokens)), options.vocab_size,
                        options.min_frequency);
    tokens = std::move(trained.tokens);
    for (const auto& [left, right] : trained.merges)
      merges.emplace_back(tokens[left], tokens[right]);
  } else {
    tokens = frequent_words(state_->counts, std::move(tokens), options);
  }
  const std::string json = text::tokenizer_json(options, tokens, merges).dump(1);
  const std::string config = text::tokenizer_config_json(options).dump(2);
  return Tokenizer::from_json(json, config, "the trained tokenizer");
}

TokenizerKind parse_tokenizer_kind(std::string_view name, const std::string& source) {
  if (name == "bpe") return TokenizerKind::bpe;
  if (name == "word") return TokenizerKind::word;
  if (name == "character") return TokenizerKind::character;
  throw Error(source + ": the tokenizer kind '" + std::string(name) +
                  "' is not known (known: bpe, word, character)",
              Exit::usage);
}

Tokenizer train_tokenizer(const TokenizerTraining& options, std::span<const std::string> texts) {
  TokenizerTrainer trainer(options);
  trainer.add(texts);
  return trainer.finish();
}

Tokenizer train_tokenizer_from_files(const TokenizerTraining& options,
                                     std::span<const std::string> paths) {
  TokenizerTrainer trainer(options);
  const std::size_t batch_size = static_cast<std::size_t>(text::thread_count(options.threads)) * 2;
  std::vector<std::string> batch;
  for (const std::string& path : paths) {
    PartReader reader(path);
    for (std::string part; reader.next(part);) {
      batch.push_back(std::move(part));
      if (batch.size() < batch_size) continue;
      trainer.add(batch);
      batch.clear();
    }
  }
  trainer.add(batch);
  return trainer.finish();
}

}  // namespace plumb
