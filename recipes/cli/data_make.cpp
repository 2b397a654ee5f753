#include "core/error.h"
#include "core/io/files.h"
#include "core/log.h"
#include "recipes/cli/data_commands.h"
#include "recipes/cli/flags.h"
#include "recipes/cli/quickstart_data.h"

namespace plumb {
namespace {

struct MakeOptions {
  int64_t seed = 42;
  bool overwrite = false;

  template <class Visitor>
  void fields(Visitor& v) {
    v("seed", seed, "of the world that is made up", at_least(0));
    v("overwrite", overwrite, "replace the files when they exist");
  }
};

}  // namespace

std::string data_make_help() {
  MakeOptions options;
  return "corpus.txt, sft.jsonl, pairs.jsonl and prompts.jsonl of a small made-up "
         "world.\n\nFlags\n" +
         flags_help(FieldList::of(options));
}

int data_make(const Arguments& arguments) {
  MakeOptions options;
  const auto words = parse_flags(arguments, FieldList::of(options));
  if (words.size() != 1) throw Error("plumb data make takes one DIR", Exit::usage);
  if (files::exists(words[0] + "/corpus.txt") && !options.overwrite) {
    throw Error(words[0] + ": holds a corpus.txt; give --overwrite to replace it", Exit::usage);
  }
  write_quickstart_data(words[0], static_cast<uint64_t>(options.seed));
  log::info("data: wrote corpus.txt, sft.jsonl, pairs.jsonl and prompts.jsonl in " + words[0]);
  return 0;
}

}  // namespace plumb
