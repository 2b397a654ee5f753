#include "recipes/cli/command.h"
#include "recipes/cli/data_commands.h"
#include "recipes/cli/doctor_command.h"
#include "recipes/cli/info_command.h"
#include "recipes/cli/tokenize_command.h"

namespace plumb {

std::vector<Command> file_commands() {
  return {
      {"tokenize", "MODEL [TEXT] [flags]", "Ids of a text (of standard input without TEXT)",
       tokenize_help, tokenize},
      {"info", "FOLDER [flags]", "What a model, adapter or run folder holds", info_help, info},
      {"data prepare", "JOB RECIPE.yaml [key=value ...] [flags]",
       "Tokenises data into its store, ahead of a job", data_help, data_prepare},
      {"data inspect", "JOB RECIPE.yaml [key=value ...] [flags]",
       "Shows samples with the trained tokens marked", data_help, data_inspect},
      {"doctor", "[flags]", "What this machine has, and what will not work on it and why",
       doctor_help, doctor},
      {"data make", "DIR [flags]", "Writes the quickstart's data set", data_make_help, data_make},
  };
}

}  // namespace plumb
