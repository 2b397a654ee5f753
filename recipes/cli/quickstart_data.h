// The quickstart's data: a small made-up world of animals, its own so that no download is needed
// and its facts are known. Deterministic in the seed.
//   corpus.txt    sentences about animals, for pretraining
//   sft.jsonl     prompt, completion: questions, answered in three manners (a word, a sentence,
//   kindly) pairs.jsonl   prompt, chosen, rejected: kindly over curt, and right over wrong
//   prompts.jsonl prompt: the questions alone, for PPO
#pragma once
#include <cstdint>
#include <string>

namespace plumb {

void write_quickstart_data(const std::string& folder, uint64_t seed);

}  // namespace plumb
