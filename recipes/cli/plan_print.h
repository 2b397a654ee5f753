// A plan as people and programs read it.
#pragma once
#include <string>
#include <vector>

#include "core/io/json.h"
#include "core/plan/plan.h"

namespace plumb {

struct PlanSetting {
  std::string device;         // "cpu", "cuda:h100-80g"
  std::string where;          // "this machine, 2 threads", "NVIDIA H100 SXM 80 GB"
  double capacity = 0;        // bytes
  double processes_here = 1;  // that share it
  std::string rates;          // what the times rest on
};

struct NamedPlan {
  std::string name;  // of the stage, or the job
  plan::Plan plan;
};

double needed_bytes(const plan::Plan& plan, const PlanSetting& setting);

std::string plan_text(const NamedPlan& named, const PlanSetting& setting);
Json plan_json(const std::vector<NamedPlan>& plans, const PlanSetting& setting);

}  // namespace plumb
