#include "recipes/cli/run_command.h"

#include <iostream>

#include "core/error.h"
#include "core/io/files.h"
#include "core/train/human.h"
#include "core/train/report.h"
#include "recipes/cli/child.h"
#include "recipes/cli/stage_run.h"
#include "recipes/jobs.h"

namespace plumb {
namespace {

template <class Recipe>
std::string resolve(const Stage& stage, const std::vector<std::string>& overrides,
                    const std::string& out) {
  auto recipe = stage_job<Recipe>(stage, overrides, out);
  return resolved_yaml(FieldList::of(recipe));
}

std::string resolve_any(const Stage& stage, const std::vector<std::string>& overrides,
                        const std::string& out) {
  if (stage.job == "pretrain") return resolve<PretrainRecipe>(stage, overrides, out);
  if (stage.job == "sft") return resolve<SftRecipe>(stage, overrides, out);
  if (stage.job == "reward") return resolve<RewardRecipe>(stage, overrides, out);
  return resolve<PpoRecipe>(stage, overrides, out);
}

void add_flag(Arguments& words, const std::string& flag, const std::optional<std::int64_t>& value) {
  if (value) words.insert(words.end(), {flag, std::to_string(*value)});
}

Arguments training_words(const StageRun& run, const Stage& stage) {
  const std::string folder = run.out + "/" + stage.name,
                    recipe = run.out + "/" + stage.name + ".yaml";
  files::publish(recipe, resolve_any(stage, run.overrides_of(stage.name), folder));
  Arguments words = {stage.job, recipe};
  add_flag(words, "--ranks", run.line.ranks);
  add_flag(words, "--threads", run.line.threads);
  add_flag(words, "--seed", run.line.seed);
  if (run.line.device) words.insert(words.end(), {"--device", *run.line.device});
  if (run.line.flags.quiet) words.push_back("--quiet");
  if (run.line.flags.resume) words.push_back("--resume");
  if (run.line.flags.overwrite) words.push_back("--overwrite");
  if (run.line.flags.profile) words.push_back("--profile");
  return words;
}

// export and make: the recipe's keys are the command's flags.
Arguments command_words(const StageRun& run, const Stage& stage) {
  const std::string folder = run.out + "/" + stage.name;
  Arguments words = stage.job == "make" ? Arguments{"data", "make", folder} : Arguments{"export"};
  for (std::size_t i = 0; i < stage.recipe.keys.size(); ++i) {
    const auto& [key, value] = std::pair(stage.recipe.keys[i], stage.recipe.items[i].text);
    if (stage.job == "export" && key == "model") {
      words.push_back(value);
    } else {
      words.insert(words.end(), {"--" + key, value});
    }
  }
  if (stage.job == "export") words.insert(words.end(), {"--out", folder});
  words.push_back("--overwrite");
  return words;
}

// Stages that are not jobs leave a marker, so that a resumed run passes over them.
std::string marker(const StageRun& run, const Stage& stage) {
  return run.out + "/" + stage.name + ".done";
}

int run_stage(const StageRun& run, Stage stage, std::size_t number) {
  substitute(stage.recipe, values_of(run.recipe, run.out), stage.source);
  const bool training = is_training(stage);
  if (!training && run.line.flags.resume && files::exists(marker(run, stage))) return 0;
  if (!run.line.flags.quiet) {
    std::cerr << "\n"
              << number << "/" << run.recipe.stages.size() << "  " << stage.name << " ("
              << stage.job << ")\n";
  }
  const int status = run_child(training ? training_words(run, stage) : command_words(run, stage));
  if (status == 0 && !training) files::publish(marker(run, stage), "");
  return status;
}

void write_run_report(const StageRun& run) {
  std::vector<ReportStage> stages;
  for (const auto& stage : run.recipe.stages) {
    if (is_training(stage)) stages.push_back({stage.name, run.out + "/" + stage.name});
  }
  write_report(run.out + "/report.html", run.recipe.title.empty() ? run.out : run.recipe.title,
               stages);
}

void say_where(const StageRun& run) {
  std::cerr << "\nDone. What is where:\n";
  for (const auto& stage : run.recipe.stages) {
    for (const char* what : {"model", "adapter"}) {
      const std::string path = run.out + "/" + stage.name + "/" + what;
      if (files::exists(path)) std::cerr << "  " << path << "\n";
    }
    if (stage.job == "export") std::cerr << "  " << run.out << "/" << stage.name << "\n";
  }
  std::cerr << "  " << run.out << "/report.html   curves, and completions before and after\n";
}

}  // namespace

std::string run_help() {
  JobLine line;
  return "Stages are jobs; each has a folder under --out, and names what earlier ones wrote: "
         "${sft.adapter}.\n"
         "A finished stage is not run again under --resume. key=value sets a parameter of the "
         "recipe,\n"
         "STAGE.key=value a key of a stage.\n\nFlags (passed on to every stage)\n" +
         flags_help(FieldList::of(line));
}

int run_stages(const Arguments& arguments) {
  JobLine line;
  const auto words = recipe_words(parse_flags(arguments, FieldList::of(line)));
  const StageRun run = read_stage_run(words, line);
  const std::string mark = run.out + "/stages.txt";
  const bool goes_on = run.line.flags.resume || run.line.flags.overwrite;
  if (files::exists(mark) && !goes_on) {
    throw Error(
        run.out +
            ": holds a run; give --resume to go on, --overwrite to begin anew, or another --out",
        Exit::usage);
  }
  files::create_directories(run.out);
  std::string names;
  for (const auto& stage : run.recipe.stages) names += stage.name + " " + stage.job + "\n";
  files::publish(mark, names);
  for (std::size_t i = 0; i < run.recipe.stages.size(); ++i) {
    const int status = run_stage(run, run.recipe.stages[i], i + 1);
    if (status != 0) {
      std::cerr << "plumb: stage " << run.recipe.stages[i].name << " ended with status " << status
                << "; mend the cause, then the same command with --resume goes on from here\n";
      return status;
    }
  }
  write_run_report(run);
  if (!run.line.flags.quiet) say_where(run);
  return 0;
}

}  // namespace plumb
