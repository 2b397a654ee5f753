// fuzz_<entry> CORPUS_FOLDER RUNS SEED: replays every file of the corpus, then RUNS mutations of
// them. Mutation i depends on the corpus, SEED and i alone, so a crash, which prints i, is found
// again by `fuzz_<entry> CORPUS_FOLDER RUNS SEED i`, which runs just that one.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::string> read_corpus(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

void run(const std::string& input) {
  // An exact copy on the heap: a read past its end is seen by AddressSanitizer.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& corpus, std::uint64_t seed)
      : corpus_(corpus), random_(seed) {}

  std::string make() {
    std::string input = corpus_[below(corpus_.size())];
    const std::size_t changes = 1 + below(6);
    for (std::size_t i = 0; i < changes; ++i) change(input);
    return input;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void change(std::string& input) {
    static const std::string kTokens[] = {"{",
                                          "}",
                                          "[",
                                          "]",
                                          "\"",
                                          ":",
                                          ",",
                                          "\\u0061",
                                          "\n",
                                          "- ",
                                          "&a",
                                          "*a",
                                          "!!",
                                          "null",
                                          "1e400",
                                          "-1",
                                          "\xFF",
                                          "\\",
                                          "'",
                                          "  ",
                                          "---",
                                          "%",
                                          "? ",
                                          "| ",
                                          "18446744073709551616",
                                          std::string(1, '\0'),
                                          "\xEF\xBB\xBF"};
    const std::size_t at = below(input.size() + 1);
    switch (below(7)) {
      case 0:  // flip a bit
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 1:  // any byte
        if (at < input.size()) input[at] = static_cast<char>(below(256));
        break;
      case 2:
        input.erase(at, 1 + below(8));
        break;
      case 3:
        input.insert(at, kTokens[below(std::size(kTokens))]);
        break;
      case 4:  // repeat a stretch
        input.insert(at, input.substr(below(input.size() + 1), below(64)));
        break;
      case 5:  // cut
        input.resize(at);
        break;
      default: {  // splice with another input
        const std::string& other = corpus_[below(corpus_.size())];
        input = input.substr(0, at) + other.substr(below(other.size() + 1));
      }
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
};

std::uint64_t seed_of(std::uint64_t seed, std::uint64_t run_number) {
  return seed * 0x9E3779B97F4A7C15u + run_number;
}

volatile std::uint64_t current_mutation = 0;

void say_which(int signal_number) {
  std::fprintf(stderr, "at mutation %llu\n", static_cast<unsigned long long>(current_mutation));
  std::signal(signal_number, SIG_DFL);
  std::raise(signal_number);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER RUNS SEED [ONLY]\n", arguments[0]);
    return 2;
  }
  const std::vector<std::string> corpus = read_corpus(arguments[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no files\n", arguments[1]);
    return 2;
  }
  const std::uint64_t runs = std::strtoull(arguments[2], nullptr, 10);
  const std::uint64_t seed = std::strtoull(arguments[3], nullptr, 10);
  if (count > 4) {
    run(Mutator(corpus, seed_of(seed, std::strtoull(arguments[4], nullptr, 10))).make());
    return 0;
  }
  std::signal(SIGABRT, say_which);
  std::signal(SIGSEGV, say_which);
  for (const std::string& input : corpus) run(input);
  for (std::uint64_t i = 0; i < runs; ++i) {
    current_mutation = i;
    run(Mutator(corpus, seed_of(seed, i)).make());
  }
  std::printf("%zu inputs and %llu mutations\n", corpus.size(),
              static_cast<unsigned long long>(runs));
  return 0;
}
