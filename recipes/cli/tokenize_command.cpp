#include "recipes/cli/tokenize_command.h"

#include <iostream>
#include <iterator>

#include "core/error.h"
#include "core/io/json.h"
#include "core/text/tokenizer.h"
#include "recipes/cli/flags.h"
#include "recipes/cli/references.h"
#include "recipes/common/parse_ids.h"

namespace plumb {
namespace {

struct TokenizeOptions {
  bool plain = false;
  bool json = false;
  std::string decode;

  template <class Visitor>
  void fields(Visitor& v) {
    v("plain", plain, "without the tokens that the tokenizer puts around a text");
    v("decode", decode, "turn ids, separated by spaces, into text instead");
    v("json", json, "one JSON object on stdout: {\"ids\": [...]}");
  }
};

std::string read_all(std::istream& in) {
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

std::string tokenize_help() {
  TokenizeOptions options;
  return "Flags\n" + flags_help(FieldList::of(options));
}

int tokenize(const Arguments& arguments) {
  TokenizeOptions options;
  const auto words = parse_flags(arguments, FieldList::of(options));
  if (words.empty() || words.size() > 2) {
    throw Error("plumb tokenize takes a MODEL folder and at most one TEXT", Exit::usage);
  }
  const auto tokenizer =
      Tokenizer::load(resolve_reference(words[0], hub::Need::tokenizer, Telling::progress));
  if (!options.decode.empty()) {
    const auto text = tokenizer.decode(parse_ids(options.decode), SpecialTokens::keep);
    if (options.json) {
      std::cout << Json{{"text", text}}.dump() << "\n";
    } else {
      std::cout << text << "\n";
    }
    return 0;
  }
  const std::string text = words.size() == 2 ? words[1] : read_all(std::cin);
  const auto ids = options.plain ? tokenizer.encode_plain(text) : tokenizer.encode(text);
  if (options.json) {
    std::cout << Json{{"ids", ids}}.dump() << "\n";
    return 0;
  }
  for (const auto id : ids)
    std::cout << id << "\t" << Json(tokenizer.id_to_token(id)).dump() << "\n";
  return 0;
}

}  // namespace plumb
