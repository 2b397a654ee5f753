// An index, a zero byte and a shard, as a model folder of one or two shards: plumb::Error, or a
// model whose every tensor reads in full.
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "core/io/model_files.h"
#include "tests/fuzz/fuzz_files.h"

namespace {

using plumb::FuzzFile;

void read_all(const plumb::ShardedModelFiles& model) {
  for (const std::string& name : model.names()) {
    const auto tensor = model.find(name);
    if (!tensor) std::abort();
    std::vector<char> bytes(tensor->entry->bytes());
    model.read(name, bytes.data());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const plumb::FuzzFolder folder;
  static const FuzzFile index(folder, "model.safetensors.index.json");
  static const FuzzFile first(folder, "a.safetensors"), second(folder, "b.safetensors");
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string_view shards = end < input.size() ? input.substr(end + 1) : "";
  index.fill(input.substr(0, end));
  first.fill(shards);
  // A header of its own for the second, which otherwise always clashes with the first.
  static constexpr std::string_view kOther(
      "\x38\0\0\0\0\0\0\0{\"z\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}   \1", 65);
  second.fill(kOther);
  try {
    read_all(plumb::ShardedModelFiles::open(folder.path()));
  } catch (const plumb::Error&) {
  }
  return 0;
}
