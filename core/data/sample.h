// What the jobs train on: token ids, and spans that say whose tokens they are.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/text/chat_message.h"  // Role, Span

namespace plumb {

// What a store holds, one kind a store.
enum class SampleKind : std::uint8_t {
  text,          // pretrain: one sequence, a document or a window of one; all tokens are trained
  conversation,  // sft: one sequence; every assistant turn with its end is trained
  preference,    // reward: two sequences, chosen and rejected, and a margin
  prompt,        // ppo: one sequence that ends where the assistant begins; nothing is trained
};
std::string sample_kind_name(SampleKind kind);

struct Sequence {
  std::vector<std::int32_t> tokens;
  // In order, covering all tokens. `is_trained` is of the token as a target: the loss of a trained
  // token at index t belongs to the logits at t - 1; the first token has none.
  std::vector<Span> spans;
};

struct Sample {
  std::int64_t row = 0;             // number of its row (or document) in the source, from 0
  std::vector<Sequence> sequences;  // one; two for preference: chosen, rejected
  double margin = 0.0;              // preference
  std::string answer;               // prompt: the answer column as text, or empty
  std::string columns;              // prompt: the whole row as JSON

  const Sequence& only() const { return sequences.at(0); }
  const Sequence& chosen() const { return sequences.at(0); }
  const Sequence& rejected() const { return sequences.at(1); }
  // Tokens of all sequences: what the sample costs in a packed batch.
  std::int64_t length() const;
};

// Tokens of a sequence that are trained and have logits that predict them.
std::int64_t trained_tokens(const Sequence& sequence);

}  // namespace plumb
