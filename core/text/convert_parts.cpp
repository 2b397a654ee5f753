#include "core/text/convert_parts.h"

#include <algorithm>

#include "core/error.h"

namespace plumb::text {

namespace {

struct Cut {
  std::int32_t left = 0;  // ids of both parts
  std::int32_t right = 0;
};

using Ranks = std::unordered_map<std::string_view, std::int32_t>;

constexpr std::size_t kMaxTokenBytes = 1024;  // finding the cuts of one is quadratic

std::vector<Cut> cuts_of(std::string_view token, const Ranks& ranks) {
  std::vector<Cut> cuts;
  for (std::size_t at = 1; at < token.size(); ++at) {
    if ((token[at] & 0xC0) == 0x80) continue;
    const auto left = ranks.find(token.substr(0, at));
    if (left == ranks.end()) continue;
    const auto right = ranks.find(token.substr(at));
    if (right != ranks.end()) cuts.push_back({left->second, right->second});
  }
  return cuts;  // by the length of the left part
}

}  // namespace

Json vocab_json(const std::vector<std::string>& tokens) {
  Json vocab = Json::object();
  auto& entries = vocab.get_ref<Json::object_t&>();
  entries.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) entries.emplace_back(tokens[i], i);
  return vocab;
}

Json added_tokens_json(const std::vector<SpecialTokenEntry>& added) {
  Json list = Json::array();
  for (const SpecialTokenEntry& token : added) {
    list.push_back({{"id", token.id},
                    {"content", token.content},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", token.is_special}});
  }
  return list;
}

Json tokenizer_document(Json model, const std::vector<SpecialTokenEntry>& added) {
  Json json;
  json["version"] = "1.0";
  for (const char* name :
       {"truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    json[name] = nullptr;
  }
  json["added_tokens"] = added_tokens_json(added);
  json["model"] = std::move(model);
  return json;
}

Json bpe_json(Json vocab, Json merges) {
  Json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", nullptr},
                {"end_of_word_suffix", nullptr},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", false}};
  model["vocab"] = std::move(vocab);
  model["merges"] = std::move(merges);
  return model;
}

Json byte_level_section() {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", true}};
}

Json split_then_bytes(std::string_view pattern) {
  Json bytes = byte_level_section();
  bytes["use_regex"] = false;
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", pattern}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, bytes})}};
}

Json sequence_only() {
  const auto piece = [](const char* id, int type) {
    return Json{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({piece("A", 0)})},
          {"pair", Json::array({piece("A", 0), piece("B", 1)})},
          {"special_tokens", Json::object()}};
}

Json implied_merges(const std::vector<std::string>& tokens, PairOrder order,
                    const std::string& where) {
  Ranks ranks;
  ranks.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    ranks[tokens[i]] = static_cast<std::int32_t>(i);
  }
  Json merges = Json::array();
  for (const std::string& token : tokens) {
    if (token.size() > kMaxTokenBytes) {
      throw Error(where + ": a token has " + std::to_string(token.size()) +
                  " bytes; at most 1024 are supported");
    }
    std::vector<Cut> cuts = cuts_of(token, ranks);
    if (order == PairOrder::by_ranks) {
      std::sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) {
        return a.left != b.left ? a.left < b.left : a.right < b.right;
      });
    }
    for (const Cut& cut : cuts) merges.push_back({tokens[cut.left], tokens[cut.right]});
  }
  return merges;
}

}  // namespace plumb::text
