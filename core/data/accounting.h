// What became of every row: rows_read == rows_used + the sum of `skipped`, always.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/io/json.h"

namespace plumb {

struct Accounting {
  std::int64_t rows_read = 0;  // rows of JSON, or documents of text
  std::int64_t rows_used = 0;
  std::map<std::string, std::int64_t> skipped;  // by reason: "malformed", "too long", ...
  std::vector<std::string> examples;            // the first skipped rows: "file:line: why"
  std::int64_t rows_cut = 0;                    // of those used
  std::int64_t samples = 0;                     // more than rows_used where documents were divided
  std::int64_t sequences = 0;
  std::int64_t tokens = 0;
  std::int64_t trained_tokens = 0;
  std::int64_t longest_row = 0;     // tokens of one sequence before anything was cut or divided
  std::int64_t longest_sample = 0;  // tokens of all sequences of one sample as stored
  std::int64_t ends_trained = 0;    // sequences whose last trained token is the tokenizer's EOS
  std::int64_t untrained_turns =
      0;                          // of the assistant, which the template renders otherwise later on
  std::string untrained_example;  // "file:line: why"
  std::string chat_format;        // name of the template used; empty for text
  std::string row_format;         // as in DataOptions::format

  std::int64_t rows_skipped() const;
  Json to_json() const;
  static Accounting from_json(const Json& json);
  // Lines for people, without a final newline.
  std::string describe() const;
};

}  // namespace plumb
