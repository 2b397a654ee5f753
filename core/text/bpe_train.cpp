#include "core/text/bpe_train.h"

#include <algorithm>
#include <queue>

#include "core/text/unicode.h"

namespace plumb::text {

namespace {

using Pair = std::pair<std::int32_t, std::int32_t>;

std::uint64_t key_of(Pair pair) {
  return static_cast<std::uint64_t>(pair.first) << 32 | static_cast<std::uint32_t>(pair.second);
}

struct Word {
  std::vector<std::int32_t> symbols;
  std::int64_t count = 0;
};

struct Candidate {
  std::int64_t count = 0;
  Pair pair;
  std::vector<std::int32_t> words;  // indices of those that held the pair when it was proposed
};

struct ComesLater {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.count != b.count ? a.count < b.count : a.pair > b.pair;
  }
};

class Trainer {
 public:
  Trainer(const WordCounts& words, std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      id_of_.emplace(tokens_[id], static_cast<std::int32_t>(id));
    }
    for (const auto& [text, count] : words) add_word(text, count);
    count_pairs();
  }

  BpeTraining run(std::int64_t vocab_size, std::int64_t min_frequency) {
    BpeTraining result;
    while (static_cast<std::int64_t>(tokens_.size()) < vocab_size && !queue_.empty()) {
      Candidate top = queue_.top();
      queue_.pop();
      const std::int64_t count = counts_[key_of(top.pair)];
      if (top.count != count) {  // merges since then took some away
        top.count = count;
        queue_.push(std::move(top));
        continue;
      }
      if (count < 1 || count < min_frequency) break;
      const std::int32_t id = token_of(top.pair);
      result.merges.push_back(top.pair);
      for (const std::int32_t word : top.words) merge(word, top.pair, id);
      propose();
    }
    result.tokens = std::move(tokens_);
    return result;
  }

 private:
  void add_word(const std::string& text, std::int64_t count) {
    Word word;
    word.count = count;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t length = decode_char(text, i).length;
      const auto found = id_of_.find(std::string_view(text).substr(i, length));
      if (found != id_of_.end()) word.symbols.push_back(found->second);
      i += length;
    }
    if (word.symbols.size() > 1) words_.push_back(std::move(word));
  }

  void count_pairs() {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const Word& word = words_[w];
      for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) {
        const Pair pair{word.symbols[i], word.symbols[i + 1]};
        counts_[key_of(pair)] += word.count;
        note(pair, static_cast<std::int32_t>(w));
      }
    }
    propose();
  }

  // Remembers that the word now holds the pair, once.
  void note(Pair pair, std::int32_t word) {
    std::vector<std::int32_t>& words = noted_[key_of(pair)];
    if (words.empty() || words.back() != word) words.push_back(word);
  }

  void propose() {
    for (auto& [key, words] : noted_) {
      const std::int64_t count = counts_[key];
      const Pair pair{static_cast<std::int32_t>(key >> 32), static_cast<std::int32_t>(key)};
      if (count > 0) queue_.push({count, pair, std::move(words)});
    }
    noted_.clear();
  }

  std::int32_t token_of(Pair pair) {
    const std::string token = tokens_[pair.first] + tokens_[pair.second];
    const auto [entry, is_new] = id_of_.emplace(token, static_cast<std::int32_t>(tokens_.size()));
    if (is_new) tokens_.push_back(token);
    return entry->second;
  }

  // Replaces the pair in one word and moves the counts of its neighbours' pairs. The pair's own
  // count stays, as in BpeTrainer.
  void merge(std::int32_t index, Pair pair, std::int32_t id) {
    Word& word = words_[index];
    const std::vector<std::int32_t>& in = word.symbols;
    std::vector<std::int32_t> out;
    out.reserve(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) {
      const bool is_pair = i + 1 < in.size() && in[i] == pair.first && in[i + 1] == pair.second;
      if (!is_pair) {
        out.push_back(in[i]);
        continue;
      }
      if (!out.empty()) {
        counts_[key_of({out.back(), pair.first})] -= word.count;
        add_pair({out.back(), id}, index);
      }
      if (i + 2 < in.size()) {
        counts_[key_of({pair.second, in[i + 2]})] -= word.count;
        add_pair({id, in[i + 2]}, index);
      }
      out.push_back(id);
      ++i;
    }
    word.symbols = std::move(out);
  }

  void add_pair(Pair pair, std::int32_t index) {
    counts_[key_of(pair)] += words_[index].count;
    note(pair, index);
  }

  std::vector<std::string> tokens_;
  std::unordered_map<std::string, std::int32_t, StringHash, std::equal_to<>> id_of_;
  std::vector<Word> words_;
  std::unordered_map<std::uint64_t, std::int64_t> counts_;
  std::unordered_map<std::uint64_t, std::vector<std::int32_t>> noted_;
  std::priority_queue<Candidate, std::vector<Candidate>, ComesLater> queue_;
};

}  // namespace

BpeTraining train_bpe(const WordCounts& words, std::vector<std::string> tokens,
                      std::int64_t vocab_size, std::int64_t min_frequency) {
  return Trainer(words, std::move(tokens)).run(vocab_size, min_frequency);
}

}  // namespace plumb::text
