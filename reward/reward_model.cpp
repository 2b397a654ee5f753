#include "reward/reward_model.h"

#include <cmath>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json.h"

namespace plumb {

at::Tensor head_values(const at::Tensor& hidden, const at::Tensor& score) {
  return hidden.matmul(score.squeeze(0));
}

at::Tensor last_values(const at::Tensor& hidden, const std::vector<int64_t>& cu_seqlens,
                       const at::Tensor& score) {
  const auto B = static_cast<int64_t>(cu_seqlens.size()) - 1;
  auto last = at::empty({B}, at::kLong);
  for (int64_t b = 0; b < B; ++b) last.data_ptr<int64_t>()[b] = cu_seqlens[b + 1] - 1;
  return head_values(hidden.index_select(0, last.to(hidden.device())), score);
}

RewardStatistics load_reward_statistics(const std::string& folder) {
  const std::string path = folder + "/reward.json";
  if (!files::exists(path)) return {};
  const Json json = read_json(path);
  RewardStatistics statistics;
  try {
    statistics = {json.at("mean").get<double>(), json.at("scale").get<double>()};
  } catch (const nlohmann::json::exception&) {
    throw Error(path + ": must be {\"mean\": number, \"scale\": number}");
  }
  if (!std::isfinite(statistics.mean) || !(statistics.scale > 0) ||
      !std::isfinite(statistics.scale)) {
    throw Error(path + ": mean must be finite and scale above 0, got " + json.dump());
  }
  return statistics;
}

void save_reward_statistics(const RewardStatistics& statistics, const std::string& folder) {
  const Json json = {{"mean", statistics.mean}, {"scale", statistics.scale}};
  files::publish(folder + "/reward.json", json.dump(2) + "\n");
}

}  // namespace plumb
