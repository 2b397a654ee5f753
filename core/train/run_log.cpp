#include "core/train/run_log.h"

#include <chrono>
#include <cmath>

#include "core/train/tfevents.h"

namespace plumb {
namespace {

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// As transformers' rewrite_logs, so that curves overlay.
std::string event_tag(const std::string& name) {
  if (name.starts_with("eval_")) return "eval/" + name.substr(5);
  return "train/" + name;
}

std::string json_line(const Json& row) {
  return row.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

RunLog RunLog::create(const std::string& folder) {
  // A run that was killed before its first checkpoint starts over in the same files.
  RunLog log = resume(folder, {});
  log.events_->append(event_file_header(wall_time()));
  return log;
}

RunLog RunLog::resume(const std::string& folder, const LogSizes& sizes) {
  RunLog log;
  log.metrics_ = files::AppendLog::open_at(folder + "/metrics.jsonl", sizes.metrics);
  log.events_ = files::AppendLog::open_at(folder + "/" + kEventsFile, sizes.events);
  log.samples_ = files::AppendLog::open_at(folder + "/samples.jsonl", sizes.samples);
  return log;
}

RunLog RunLog::none() {
  return RunLog();
}

void RunLog::metrics(int64_t step, const Metrics& values) {
  if (!metrics_) return;
  Json row;
  row["step"] = step;
  Metrics scalars;
  for (const auto& [name, value] : values) {
    // A count is written as one: 128, not 128.0.
    const bool whole = std::abs(value) < 1e15 && value == std::trunc(value);
    if (whole) {
      row[name] = static_cast<int64_t>(value);
    } else {
      row[name] = value;  // nlohmann writes NaN and infinity as null
    }
    scalars.emplace_back(event_tag(name), value);
  }
  metrics_->append(json_line(row));
  events_->append(event_record(wall_time(), step, scalars));
}

void RunLog::sample(const Json& row) {
  if (samples_) samples_->append(json_line(row));
}

LogSizes RunLog::sync() {
  if (!metrics_) return {};
  for (auto* log : {&*metrics_, &*events_, &*samples_}) log->sync();
  return {metrics_->size(), events_->size(), samples_->size()};
}

}  // namespace plumb
