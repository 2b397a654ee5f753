// Tokens and their ids, both ways. Ids need not be dense, but nearly so.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/text/json_view.h"

namespace plumb::text {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

inline constexpr std::int32_t kNoToken = -1;

class Vocab {
 public:
  void reserve(std::size_t count);
  // Error when the id is taken by another token, or leaves a gap that no tokenizer has.
  void add(const std::string& token, std::int32_t id, const std::string& where);

  std::int32_t find(std::string_view token) const;  // kNoToken when unknown
  // Empty for an unknown id, as has_id says.
  const std::string& token(std::int32_t id) const;
  bool has_id(std::int32_t id) const;
  std::int32_t size() const { return static_cast<std::int32_t>(id_of_.size()); }  // tokens
  std::int32_t id_bound() const { return static_cast<std::int32_t>(tokens_.size()); }

 private:
  std::unordered_map<std::string, std::int32_t, StringHash, std::equal_to<>> id_of_;
  std::vector<const std::string*> tokens_;  // by id; null in a gap; keys of id_of_ stay in place
};

// {"token": id, ...}
Vocab parse_vocab(const JsonView& view);
// Of the byte tokens <0x00> .. <0xFF>; kNoToken for those that are not there.
std::vector<std::int32_t> byte_token_ids(const Vocab& vocab);

}  // namespace plumb::text
