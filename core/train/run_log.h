// What a run writes as it goes, in its folder: metrics.jsonl (one JSON object a logged step),
// TensorBoard events of the same values, and samples.jsonl (completions). All three only grow by
// whole records; their sizes are part of a checkpoint, and a resume cuts them back to it, so that
// each step stands once.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/io/files.h"
#include "core/io/json.h"

namespace plumb {

// One fixed name: a resumed run goes on in the same file. TensorBoard looks for "tfevents".
inline constexpr const char* kEventsFile = "events.out.tfevents.plumb";

using Metrics = std::vector<std::pair<std::string, double>>;  // kept in order

struct LogSizes {
  uint64_t metrics = 0, events = 0, samples = 0;  // bytes of whole records
};

class RunLog {
 public:
  static RunLog create(const std::string& folder);                         // empty files
  static RunLog resume(const std::string& folder, const LogSizes& sizes);  // cut to these sizes
  static RunLog none();  // writes nothing: ranks other than 0

  // {"step": step, "loss": ..., ...}; numbers in their shortest form that reads back exactly, and
  // NaN or infinity as null. In TensorBoard the tags are those of transformers: "eval_loss" is
  // eval/loss, anything else train/<name>.
  void metrics(int64_t step, const Metrics& values);

  // One row of the completions table, for instance {"step", "prompt", "completion", "reward"}.
  void sample(const Json& row);

  LogSizes sync();  // fsync of all three; the sizes that a checkpoint may count on

 private:
  RunLog() = default;
  std::optional<files::AppendLog> metrics_, events_, samples_;
};

}  // namespace plumb
