// What cross-attentions read while a text-to-text model generates: keys and values of each
// sequence's source, of every layer, formed once a sequence.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/kv_cache.h"
#include "core/ops/decode_rows.h"

namespace plumb {

class SourceCache {
 public:
  // Keeps references, as DecodeForward.
  SourceCache(const Decoder& decoder, const Adapter* adapter, int64_t num_slots);

  // The encoder reads a source by itself, so that its bits depend on nothing else.
  void read(std::span<const int32_t> tokens, int64_t slot);

  DecodeCache layer(int64_t index) const { return cache_.layer(index); }

  // For each row its slot's last key; valid until the next call.
  std::span<const DecodeRow> last_keys(std::span<const DecodeRow> rows);

 private:
  const Decoder& decoder_;
  const Adapter* adapter_;
  KvCache cache_;
  std::vector<int64_t> lengths_;  // of each slot's source
  std::vector<DecodeRow> last_keys_;
};

}  // namespace plumb
