#include "tests/core/text/oracle_cases.h"

#include <array>
#include <cstdio>
#include <memory>

#include "core/io/files.h"

namespace plumb::test {

namespace {

constexpr const char* kPython = ".deps/oracle/bin/python";

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string stream(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  StreamDecoder decoder(tokenizer, SpecialTokens::keep);
  std::string text;
  for (const std::int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

struct Checker {
  const Tokenizer& tokenizer;
  const Json& expected;
  std::string wrong;

  template <class Got>
  void check(const char* what, const Got& got) {
    if (!wrong.empty() || !expected.contains(what)) return;
    if (Json(got) != expected[what]) {
      wrong = std::string(what) + ": got " + Json(got).dump(-1, ' ', true) + "\ncase " +
              expected.dump(-1, ' ', true);
    }
  }
};

}  // namespace

Agreement compare_with_oracle(const Tokenizer& tokenizer, const Json& cases) {
  Agreement agreement;
  for (const Json& expected : cases) {
    Checker checker{tokenizer, expected, ""};
    if (expected.contains("hex")) {
      const std::string text = from_hex(expected["hex"]);
      checker.check("plain", tokenizer.encode_plain(text));
      checker.check("full", tokenizer.encode(text));
      checker.check("literal", tokenizer.encode_literal(text));
    }
    const auto ids =
        expected[expected.contains("ids") ? "ids" : "full"].get<std::vector<std::int32_t>>();
    checker.check("text", tokenizer.decode(ids));
    checker.check("kept", tokenizer.decode(ids, SpecialTokens::keep));
    checker.check("kept", stream(tokenizer, ids));
    ++agreement.cases;
    if (checker.wrong.empty()) continue;
    if (agreement.wrong++ == 0) agreement.first_wrong = checker.wrong;
  }
  return agreement;
}

std::string run_oracle(const std::string& arguments) {
  const std::string command = std::string(kPython) + " " + arguments;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string output;
  std::array<char, 1 << 16> buffer;
  while (pipe) {
    const std::size_t n = fread(buffer.data(), 1, buffer.size(), pipe.get());
    if (n == 0) break;
    output.append(buffer.data(), n);
  }
  return output;
}

bool has_oracle() {
  return files::exists(kPython);
}

bool has_shared(const std::string& path) {
  return files::exists("../shared/" + path);
}

}  // namespace plumb::test
