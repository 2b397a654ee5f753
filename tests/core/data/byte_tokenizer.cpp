#include "tests/core/data/byte_tokenizer.h"

#include "core/io/json.h"

namespace plumb {
namespace {

// GPT-2's alphabet: printable bytes stand for themselves, the others for U+0100 and on.
std::string letter_of(int byte, int& next_spare) {
  const bool is_printable =
      (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
  const int code = is_printable ? byte : 0x100 + next_spare++;
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
}

Json special(int id, const std::string& text) {
  return {{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

}  // namespace

Tokenizer byte_tokenizer(TextStart start) {
  const std::vector<std::string> specials{"<s>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  Json vocab = Json::object();
  Json added = Json::array();
  for (int id = 0; id < 4; ++id) {
    vocab[specials[id]] = id;
    added.push_back(special(id, specials[id]));
  }
  int next_spare = 0;
  for (int byte = 0; byte < 256; ++byte) vocab[letter_of(byte, next_spare)] = 4 + byte;
  Json json;
  json["version"] = "1.0";
  json["truncation"] = nullptr;
  json["padding"] = nullptr;
  json["added_tokens"] = added;
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  json["post_processor"] = nullptr;
  if (start == TextStart::bos) {
    const Json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
    const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    const Json second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
    json["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single", Json::array({bos, text})},
        {"pair", Json::array({bos, text, second})},
        {"special_tokens",
         {{"<s>", {{"id", "<s>"}, {"ids", Json::array({0})}, {"tokens", Json::array({"<s>"})}}}}}};
  }
  json["decoder"] = {{"type", "ByteLevel"},
                     {"add_prefix_space", true},
                     {"trim_offsets", true},
                     {"use_regex", true}};
  json["model"] = {{"type", "BPE"},
                   {"dropout", nullptr},
                   {"unk_token", nullptr},
                   {"continuing_subword_prefix", nullptr},
                   {"end_of_word_suffix", nullptr},
                   {"fuse_unk", false},
                   {"byte_fallback", false},
                   {"ignore_merges", false},
                   {"vocab", vocab},
                   {"merges", Json::array()}};
  return Tokenizer::from_json(json.dump(), R"({"bos_token": "<s>", "eos_token": "<|endoftext|>"})",
                              "byte tokenizer");
}

std::vector<std::int32_t> byte_ids(std::string_view text) {
  std::vector<std::int32_t> ids;
  for (const char c : text) ids.push_back(4 + static_cast<unsigned char>(c));
  return ids;
}

}  // namespace plumb
