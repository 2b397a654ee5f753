// Cases written by tests/oracle/make_tokenizer.py, and the check that a tokenizer agrees with them.
#pragma once
#include <string>

#include "core/io/json.h"
#include "core/text/tokenizer.h"

namespace plumb::test {

struct Agreement {
  int cases = 0;
  int wrong = 0;
  std::string first_wrong;  // for the failure message
};

// `cases`: the list of the file. Checks encode, encode_plain, encode_literal, decode (both ways),
// and that streaming gives what decode gives.
Agreement compare_with_oracle(const Tokenizer& tokenizer, const Json& cases);

// The file of make_tokenizer_parts.py: each setup's sections around the shared model.
Agreement compare_parts(const Json& file);

// Output of `PYTHON script args` of the oracle environment, or empty where there is none.
std::string run_oracle(const std::string& arguments);
bool has_oracle();
bool has_shared(const std::string& path);  // ../shared/<path>

}  // namespace plumb::test
