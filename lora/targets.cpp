#include "lora/targets.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace plumb {

std::vector<LinearSite> all_sites(const ModelConfig& config) {
  std::vector<LinearSite> sites;
  for (const LayerStack& stack : layer_stacks(config)) {
    sites.insert(sites.end(), stack.sites.begin(), stack.sites.end());
  }
  return sites;
}

std::string module_name(const LinearSite& site) {
  return site.module.substr(site.module.rfind('.') + 1);
}

std::string module_names(const ModelConfig& config) {
  std::vector<std::string> names;
  for (const LinearSite& site : all_sites(config)) {
    const std::string name = module_name(site);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

bool is_target(const LinearSite& site, const std::vector<std::string>& targets) {
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& target) {
    return target == "all-linear" || site.module == target || site.module.ends_with("." + target);
  });
}

std::vector<LayerStack> target_stacks(const ModelConfig& config,
                                      const std::vector<std::string>& targets) {
  const std::vector<LinearSite> sites = all_sites(config);
  for (const std::string& target : targets) {
    const bool is_known = std::any_of(sites.begin(), sites.end(), [&](const LinearSite& site) {
      return is_target(site, {target});
    });
    if (is_known) continue;
    throw Error("lora.targets: " + config.model_type + " has no linear '" + target +
                    "'; they must be all-linear or some of " + module_names(config),
                Exit::usage);
  }
  if (targets.empty()) {
    throw Error("lora.targets: must be all-linear or some of " + module_names(config), Exit::usage);
  }
  std::vector<LayerStack> wanted = layer_stacks(config);
  for (LayerStack& stack : wanted) {
    std::erase_if(stack.sites, [&](const LinearSite& site) { return !is_target(site, targets); });
  }
  return wanted;
}

double lora_scale(const LoraOptions& options) {
  const auto rank = static_cast<double>(options.rank);
  return options.alpha / (options.rslora ? std::sqrt(rank) : rank);
}

}  // namespace plumb
