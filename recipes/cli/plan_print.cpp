#include "recipes/cli/plan_print.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/train/human.h"

namespace plumb {
namespace {

using plan::Kind;
using plan::Phase;
using plan::Plan;
using plan::WorkItem;

constexpr std::size_t kLabel = 16, kColumn = 13;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string right(const std::string& text, std::size_t width) {
  return std::string(width > text.size() ? width - text.size() : 1, ' ') + text;
}

std::string line(const std::string& label, const std::string& text) {
  return "  " + padded(label, kLabel) + text + "\n";
}

std::string whole(double count) {
  return human_count(std::round(count));
}

std::string row_of(const std::string& label, const Plan& plan,
                   const std::function<double(const Phase&)>& bytes) {
  std::string row = "  " + padded(label, kLabel);
  for (const Phase& phase : plan.phases) {
    const double value = bytes(phase);
    row += right(value > 0 ? human_bytes(value) : "-", kColumn);
  }
  return row + "\n";
}

std::string memory_table(const Plan& plan) {
  std::string table = "  " + padded("memory", kLabel);
  for (const Phase& phase : plan.phases) table += right(phase.name, kColumn);
  table += "\n";
  for (int k = 0; k < plan::kNumKinds; ++k) {
    const auto kind = static_cast<Kind>(k);
    const bool is_used = std::any_of(plan.phases.begin(), plan.phases.end(),
                                     [&](const Phase& phase) { return phase[kind] > 0; });
    if (!is_used) continue;
    table += row_of(kind_name(kind), plan, [&](const Phase& phase) { return phase[kind]; });
  }
  return table + row_of("in all", plan, [](const Phase& phase) { return phase.total(); });
}

// Seconds of each phase, in order; a phase may have several items.
std::vector<std::pair<std::string, double>> seconds_by_phase(const Plan& plan) {
  std::vector<std::pair<std::string, double>> phases;
  for (const WorkItem& item : plan.work) {
    const double seconds = item.times * item.seconds;
    if (!phases.empty() && phases.back().first == item.phase) {
      phases.back().second += seconds;
    } else {
      phases.emplace_back(item.phase, seconds);
    }
  }
  return phases;
}

std::string time_text(const Plan& plan) {
  std::string text = human_duration(plan.seconds());
  const auto phases = seconds_by_phase(plan);
  for (std::size_t i = 0; i < phases.size(); ++i) {
    text += (i == 0 ? ": " : ", ") + phases[i].first + " " + human_duration(phases[i].second);
  }
  return text;
}

std::string updates_text(const Plan& plan) {
  if (plan.updates_in_each == 1) return whole(plan.updates);
  return whole(plan.updates) + " iterations of " + whole(plan.updates_in_each);
}

std::string disk_text(const Plan& plan) {
  std::string text;
  for (const auto& [what, bytes] : plan.disk) {
    if (bytes > 0) text += (text.empty() ? "" : ", ") + what + " " + human_bytes(bytes);
  }
  return text;
}

std::string peak_text(const Plan& plan, const PlanSetting& setting) {
  std::string text = human_bytes(plan.peak().total()) + ", in " + plan.peak().name;
  if (setting.processes_here > 1) {
    text += ", " + whole(setting.processes_here) + " ranks need " +
            human_bytes(needed_bytes(plan, setting));
  }
  return text + "; " + setting.device + " has " + human_bytes(setting.capacity);
}

Json phase_json(const Phase& phase) {
  Json kinds = Json::object();
  for (int k = 0; k < plan::kNumKinds; ++k) {
    kinds[kind_name(static_cast<Kind>(k))] = std::llround(phase[static_cast<Kind>(k)]);
  }
  return {{"phase", phase.name}, {"bytes", std::llround(phase.total())}, {"kinds", kinds}};
}

Json plan_json(const NamedPlan& named, const PlanSetting& setting) {
  const Plan& plan = named.plan;
  Json json = {{"name", named.name},
               {"job", plan.job},
               {"parameters", plan.parameters.total()},
               {"trained_parameters", plan.trained},
               {"samples", plan.samples},
               {"updates", plan.updates * plan.updates_in_each},
               {"tokens", std::llround(plan.tokens)},
               {"micro_batch_tokens", plan.micro_batch_tokens},
               {"peak_memory_bytes", std::llround(plan.peak().total())},
               {"peak_phase", plan.peak().name},
               {"fits", needed_bytes(plan, setting) <= setting.capacity},
               {"seconds", plan.seconds()},
               {"notes", plan.notes}};
  for (const Phase& phase : plan.phases) json["memory"].push_back(phase_json(phase));
  json["seconds_by_phase"] = Json::object();
  for (const auto& [phase, seconds] : seconds_by_phase(plan)) {
    json["seconds_by_phase"][phase] = json["seconds_by_phase"].value(phase, 0.0) + seconds;
  }
  json["disk_bytes"] = Json::object();
  for (const auto& [what, bytes] : plan.disk) json["disk_bytes"][what] = std::llround(bytes);
  return json;
}

}  // namespace

double needed_bytes(const Plan& plan, const PlanSetting& setting) {
  return plan.peak().total() * setting.processes_here;
}

std::string plan_text(const NamedPlan& named, const PlanSetting& setting) {
  const Plan& plan = named.plan;
  std::string text = named.name == plan.job ? named.name : named.name + " (" + plan.job + ")";
  text += " on " + setting.where + "\n\n";
  text += line("parameters", whole(static_cast<double>(plan.parameters.total())) + ", trained " +
                                 whole(static_cast<double>(plan.trained)));
  if (plan.samples > 0) text += line("samples", whole(plan.samples));
  text += line("updates", updates_text(plan) + ", " + whole(plan.tokens) + " tokens");
  text += "\n" + memory_table(plan) + "\n";
  text += line("peak", peak_text(plan, setting));
  text += line("time", time_text(plan));
  text += line("", setting.rates);
  text += line("disk", disk_text(plan));
  for (const std::string& note : plan.notes) text += line("note", note);
  return text;
}

Json plan_json(const std::vector<NamedPlan>& plans, const PlanSetting& setting) {
  Json json = {{"device", setting.device},
               {"capacity_bytes", std::llround(setting.capacity)},
               {"rates", setting.rates},
               {"stages", Json::array()}};
  double seconds = 0;
  for (const NamedPlan& named : plans) {
    json["stages"].push_back(plan_json(named, setting));
    seconds += named.plan.seconds();
  }
  json["seconds"] = seconds;
  return json;
}

}  // namespace plumb
