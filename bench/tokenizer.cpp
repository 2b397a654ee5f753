// The C++ half of bench/tokenizer.py: encodes the texts of a file when told to, and says how long
// it took. Commands on stdin: "encode THREADS" (each text by itself), "batch THREADS"
// (encode_many) and "decode"; each answer is one line: seconds, tokens and a hash of the ids.
#include <chrono>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json.h"
#include "core/text/parallel.h"
#include "core/text/tokenizer.h"

namespace {

using Ids = std::vector<std::vector<std::int32_t>>;

std::uint64_t hash_of(const Ids& ids) {  // FNV-1a over the ids, which the Python half also forms
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const auto& list : ids) {
    for (const std::int32_t id : list) {
      hash = (hash ^ static_cast<std::uint32_t>(id)) * 0x100000001B3ULL;
    }
  }
  return hash;
}

Ids encode(const plumb::Tokenizer& tokenizer, const std::vector<std::string>& texts, int threads) {
  Ids ids(texts.size());
  plumb::text::for_each_index(texts.size(), threads,
                              [&](std::size_t i) { ids[i] = tokenizer.encode_plain(texts[i]); });
  return ids;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "bench_tokenizer TOKENIZER.json TEXTS.json\n";
    return 2;
  }
  try {
    const auto tokenizer =
        plumb::Tokenizer::from_json(plumb::files::read_file(argv[1]), "", argv[1]);
    const auto texts = plumb::read_json(argv[2]).get<std::vector<std::string>>();
    const Ids ids = encode(tokenizer, texts, 1);
    std::cout << "ready" << std::endl;
    std::string line;
    while (std::getline(std::cin, line)) {
      std::istringstream words(line);
      std::string command;
      int threads = 1;
      words >> command >> threads;
      std::size_t decoded = 0;
      Ids got;
      const auto begin = std::chrono::steady_clock::now();
      if (command == "encode") {
        got = encode(tokenizer, texts, threads);
      } else if (command == "batch") {
        got = plumb::encode_many(tokenizer, texts, threads);
      } else {
        for (const auto& list : ids) decoded += tokenizer.decode(list).size();
      }
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      std::size_t count = decoded;
      for (const auto& list : got) count += list.size();
      std::cout << took.count() << " " << count << " " << hash_of(got) << std::endl;
    }
  } catch (const plumb::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
