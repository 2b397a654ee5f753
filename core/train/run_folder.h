// A run folder (`--out DIR`): recipe.yaml (resolved; runs again as it is), metrics.jsonl, events,
// samples.jsonl, data.json (data accounting), report.html, checkpoints/, adapter/ or model/.
#pragma once
#include <string>

#include "core/io/json.h"

namespace plumb {

enum class RunMode {
  fresh,      // a folder that holds a run is refused
  resume,     // goes on in it; a folder without a run starts one
  overwrite,  // removes the files of the run in it (nothing else), then starts one
};

// True when `folder` holds files of a run.
bool holds_run(const std::string& folder);

// Creates or checks the folder. A fresh or overwritten run gets recipe.yaml; a resumed one keeps
// the one it has (check_resumable compares them).
void open_run_folder(const std::string& folder, RunMode mode, const std::string& recipe_yaml);

// Takes back a run that failed before it began (its data were refused, say): the same command must
// work once the cause is mended. The folder goes too when nothing else is in it.
void undo_run_folder(const std::string& folder);

// data.json: what became of every row of the data, for people and the report. A flat object, or one
// object a data set: {"train": {"file": ..., "rows read": 1000, "used": 990, "too long": 10}, ...}.
void write_data_accounting(const std::string& folder, const Json& accounting);

}  // namespace plumb
