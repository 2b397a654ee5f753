// Any bytes: a value that survives a round trip, or plumb::Error.
#include <cstdlib>

#include "core/error.h"
#include "core/io/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const plumb::Json json = plumb::parse_json(text, "fuzz");
    if (plumb::parse_json(json.dump(), "again") != json) std::abort();
  } catch (const plumb::Error&) {
  }
  return 0;
}
