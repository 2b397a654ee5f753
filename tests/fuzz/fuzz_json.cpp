// Any bytes: a value that survives a round trip, or plumb::Error.
#include <cstdlib>

#include "core/error.h"
#include "core/io/json.h"
#include "core/io/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  plumb::Json json;
  try {
    json = plumb::parse_json(text, "fuzz");
  } catch (const plumb::Error&) {
    return 0;
  }
  if (plumb::parse_json(json.dump(), "again") != json) std::abort();
  try {
    const plumb::ModelConfig config = plumb::parse_model_config(json, "fuzz");
    const plumb::Json saved = plumb::to_json(config);
    if (plumb::to_json(plumb::parse_model_config(saved, "saved")) != saved) std::abort();
  } catch (const plumb::Error&) {
  }
  return 0;
}
