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

// The offsets of encode_spans in a row, as the cases have them.
std::vector<std::uint32_t> offsets_of(const std::vector<TokenSpan>& spans) {
  std::vector<std::uint32_t> offsets;
  for (const TokenSpan& span : spans) {
    offsets.push_back(span.begin);
    offsets.push_back(span.end);
  }
  return offsets;
}

std::vector<std::int32_t> ids_of(const std::vector<TokenSpan>& spans) {
  std::vector<std::int32_t> ids;
  for (const TokenSpan& span : spans) ids.push_back(span.id);
  return ids;
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
      const auto spans = tokenizer.encode_spans(text);
      checker.check("full", ids_of(spans));
      checker.check("offsets", offsets_of(spans));
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

namespace {

Json document(const Json& model, const Json& setup) {
  Json json = {{"version", "1.0"}, {"added_tokens", Json::array()}, {"model", model}};
  for (const char* section : {"normalizer", "pre_tokenizer", "decoder"}) {
    if (setup.contains(section)) json[section] = setup[section];
  }
  if (setup.contains("added")) {
    for (Json added : setup["added"]) {
      added["id"] = setup["ids"][added["content"].get<std::string>()];
      json["added_tokens"].push_back(added);
    }
  }
  if (setup.contains("model")) json["model"] = setup["model"];
  if (setup.contains("flags")) json["model"].update(setup["flags"]);
  return json;
}

void note(Agreement& agreement, bool is_right, const Json& got, const Json& expected,
          const std::string& what) {
  ++agreement.cases;
  if (is_right || agreement.wrong++ > 0) return;
  agreement.first_wrong =
      what + "\ngot " + got.dump(-1, ' ', true) + "\nexpected " + expected.dump(-1, ' ', true);
}

void compare_setup(const Json& file, const Json& setup, Agreement& agreement) {
  const Tokenizer tokenizer =
      Tokenizer::from_json(document(file["model"], setup).dump(), "", "setup");
  Json shown = setup;
  shown.erase("cases");
  for (std::size_t i = 0; i < file["texts"].size(); ++i) {
    const std::string text = from_hex(file["texts"][i]);
    const auto spans = tokenizer.encode_spans(text);
    const Json got = Json::array(
        {tokenizer.encode_plain(text), tokenizer.encode_literal(text), offsets_of(spans)});
    note(agreement, ids_of(spans) == tokenizer.encode_plain(text), Json(ids_of(spans)), got[0],
         "ids with offsets of " + Json(text).dump(-1, ' ', true));
    note(agreement, got == setup["cases"][i], got, setup["cases"][i],
         Json(text).dump(-1, ' ', true) + " with " + shown.dump(-1, ' ', true));
  }
}

}  // namespace

Agreement compare_parts(const Json& file) {
  Agreement agreement;
  for (const Json& setup : file["setups"]) compare_setup(file, setup, agreement);
  for (const Json& setup : file["decoders"]) {
    const Tokenizer tokenizer =
        Tokenizer::from_json(document(file["model"], setup).dump(), "", "decoder");
    for (const Json& expected : setup["cases"]) {
      const auto ids = expected[0].get<std::vector<std::int32_t>>();
      const std::string got = tokenizer.decode(ids);
      note(agreement, Json(got) == expected[1] && stream(tokenizer, ids) == got, got, expected,
           setup["decoder"].dump());
    }
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
