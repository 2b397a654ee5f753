#include "core/text/vocab.h"

#include <cstdio>

#include "core/error.h"

namespace plumb::text {

namespace {

constexpr std::int64_t kMaxId = (std::int64_t{1} << 31) - 2;
constexpr std::int64_t kMaxGaps = 1 << 16;

}  // namespace

void Vocab::add(const std::string& token, std::int32_t id, const std::string& where) {
  if (id >= id_bound()) tokens_.resize(static_cast<std::size_t>(id) + 1, nullptr);
  if (tokens_[id] && *tokens_[id] != token) {
    throw Error(where + ": id " + std::to_string(id) + " is given to both '" + *tokens_[id] +
                "' and '" + token + "'; each token needs its own");
  }
  const auto [entry, is_new] = id_of_.emplace(token, id);
  if (!is_new && entry->second != id) {
    throw Error(where + ": token '" + token + "' has two ids, " + std::to_string(entry->second) +
                " and " + std::to_string(id));
  }
  tokens_[id] = &entry->first;
}

void Vocab::reserve(std::size_t count) {
  id_of_.reserve(count);
  tokens_.reserve(count);
}

std::int32_t Vocab::find(std::string_view token) const {
  const auto found = id_of_.find(token);
  return found == id_of_.end() ? kNoToken : found->second;
}

const std::string& Vocab::token(std::int32_t id) const {
  static const std::string none;
  return has_id(id) ? *tokens_[id] : none;
}

bool Vocab::has_id(std::int32_t id) const {
  return id >= 0 && id < id_bound() && tokens_[id];
}

Vocab parse_vocab(const JsonView& view) {
  if (!view.json().is_object()) view.fail("expected an object of tokens and their ids");
  const std::int64_t count = static_cast<std::int64_t>(view.json().size());
  const std::int64_t max_id = std::min(kMaxId, 2 * count + kMaxGaps);
  Vocab vocab;
  vocab.reserve(static_cast<std::size_t>(count));
  for (auto entry = view.json().begin(); entry != view.json().end(); ++entry) {
    const Json& value = entry.value();
    const bool is_plain = value.is_number_unsigned() &&
                          value.get<std::uint64_t>() <= static_cast<std::uint64_t>(max_id);
    if (!is_plain) JsonView(value, view.where() + "['" + entry.key() + "']").integer(0, max_id);
    vocab.add(entry.key(), value.get<std::int32_t>(), view.where());
  }
  return vocab;
}

std::vector<std::int32_t> byte_token_ids(const Vocab& vocab) {
  std::vector<std::int32_t> ids;
  for (unsigned byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    ids.push_back(vocab.find(name));
  }
  return ids;
}

}  // namespace plumb::text
