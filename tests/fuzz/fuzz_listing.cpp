// What a hub answers, any bytes: plumb::Error, or files whose paths stay in their folder, each
// wanted one of the list.
#include <cstdlib>

#include "core/error.h"
#include "core/hub/listing.h"
#include "core/hub/reference.h"

namespace {

using plumb::hub::Listing;
using plumb::hub::RemoteFile;

void check_files(const Listing& listing, const std::vector<RemoteFile>& wanted) {
  for (const RemoteFile& file : wanted) {
    if (listing.find(file.path) == nullptr || !plumb::hub::is_safe_path(file.path)) std::abort();
  }
}

template <class Action>
void allow_error(Action&& action) {
  try {
    action();
  } catch (const plumb::Error&) {
  }
}

}  // namespace

// A list of files, a zero byte, and the index of a sharded model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string_view index = end < input.size() ? input.substr(end + 1) : "";
  Listing listing;
  allow_error([&] { plumb::hub::parse_reference(std::string(index)); });
  try {
    listing = plumb::hub::parse_listing(input.substr(0, end), "fuzz");
  } catch (const plumb::Error&) {
    return 0;
  }
  using plumb::hub::Need;
  for (const Need need : {Need::model, Need::adapter, Need::tokenizer}) {
    allow_error([&] { check_files(listing, plumb::hub::wanted_files(listing, need, "fuzz")); });
  }
  allow_error([&] { check_files(listing, plumb::hub::wanted_shards(listing, index, "fuzz")); });
  return 0;
}
