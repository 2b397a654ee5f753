#include "core/error.h"
#include "recipes/cli/command.h"
#include "recipes/cli/export_command.h"
#include "recipes/cli/flags.h"
#include "recipes/cli/open_jobs.h"
#include "recipes/cli/references.h"

namespace plumb {
namespace {

template <class Options>
using UseEntry = void (*JobTable::*)(const Options&);

template <class Options>
int use_model(const std::string& name, UseEntry<Options> entry, const Arguments& arguments) {
  Options options;
  const auto positional = parse_flags(arguments, FieldList::of(options));
  if (positional.size() != 1) {
    throw Error("plumb " + name + " takes one MODEL folder (or hf:owner/name), got " +
                    std::to_string(positional.size()) + " words that are no flags",
                Exit::usage);
  }
  options.model = positional[0];
  check_required(FieldList::of(options), "plumb " + name);
  resolve_references(options);
  (open_jobs().*entry)(options);
  return 0;
}

template <class Options>
std::string use_help() {
  Options options;
  return "Flags\n" + flags_help(FieldList::of(options));
}

template <class Options>
Command use_command(const std::string& name, const std::string& summary, UseEntry<Options> entry) {
  return {name, "MODEL [flags]", summary, use_help<Options>,
          [name, entry](const Arguments& arguments) {
            return use_model<Options>(name, entry, arguments);
          }};
}

}  // namespace

std::vector<Command> using_commands() {
  return {
      use_command<GenerateOptions>("generate", "Completes prompts", &JobTable::generate),
      use_command<GenerateOptions>("chat", "Talks with a model in the terminal", &JobTable::chat),
      use_command<ScoreOptions>("score", "Rewards of texts, or of preference pairs",
                                &JobTable::score),
      use_command<EvalOptions>("eval", "Perplexity on text", &JobTable::eval),
      use_command<LogitsOptions>("logits", "Logits at every position", &JobTable::logits),
      {"export", "MODEL_OR_ADAPTER --out PATH [flags]",
       "Writes a model or adapter for other tools; reopened and compared", export_help,
       export_command},
      {"merge", "MODEL --adapter DIR --out DIR [flags]",
       "Adds an adapter to its base and writes the model", export_help, merge_command},
  };
}

}  // namespace plumb
