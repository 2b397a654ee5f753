#include "core/train/report_data.h"

#include <functional>
#include <limits>
#include <map>

#include "core/io/files.h"

namespace plumb {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void for_each_row(const std::string& path, const std::function<void(const Json&)>& use) {
  if (!files::exists(path)) return;
  const std::string text = files::read_file(path);
  std::size_t start = 0;
  int64_t line = 1;
  for (std::size_t end; (end = text.find('\n', start)) != std::string::npos; ++line) {
    use(parse_json(std::string_view(text).substr(start, end - start),
                   path + ":" + std::to_string(line)));
    start = end + 1;
  }
}

double number_of(const Json& row, const std::string& key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_number() ? found->get<double>() : kNaN;
}

std::string text_of(const Json& row, const std::string& key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

std::vector<Series> read_metrics(const std::string& path) {
  std::vector<Series> all;
  std::map<std::string, std::size_t> index;
  for_each_row(path, [&](const Json& row) {
    const double step = number_of(row, "step");
    for (const auto& [name, value] : row.items()) {
      if (name == "step" || !(value.is_number() || value.is_null())) continue;
      const auto [at, added] = index.try_emplace(name, all.size());
      if (added) all.push_back({name, {}, {}});
      all[at->second].x.push_back(step);
      all[at->second].y.push_back(value.is_number() ? value.get<double>() : kNaN);
    }
  });
  return all;
}

}  // namespace

RunData read_run(const std::string& folder) {
  RunData run;
  run.metrics = read_metrics(folder + "/metrics.jsonl");
  for_each_row(folder + "/samples.jsonl", [&](const Json& row) {
    run.samples.push_back({static_cast<int64_t>(row.value("step", int64_t{0})),
                           text_of(row, "prompt"), text_of(row, "completion"),
                           number_of(row, "reward")});
  });
  if (files::exists(folder + "/data.json")) run.accounting = read_json(folder + "/data.json");
  if (files::exists(folder + "/recipe.yaml")) {
    run.recipe = files::read_file(folder + "/recipe.yaml");
  }
  return run;
}

const Series* find_series(const RunData& run, const std::string& name) {
  for (const Series& series : run.metrics) {
    if (series.name == name) return &series;
  }
  return nullptr;
}

}  // namespace plumb
