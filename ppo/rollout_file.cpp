#include "ppo/rollout_file.h"

#include <cstdio>
#include <filesystem>

#include "core/data/hdf5_file.h"
#include "core/io/files.h"

namespace plumb {

namespace {

template <class T>
void write_tensor(Hdf5File& file, const std::string& name, const at::Tensor& tensor) {
  const at::Tensor rows = tensor.cpu().contiguous();
  const std::span<const T> values(rows.const_data_ptr<T>(), rows.numel());
  file.write<T>(name, values, rows.sizes().vec());
}

void write_numbers(Hdf5File& file, const std::string& name, const std::vector<int64_t>& values) {
  file.write<int64_t>(name, values, {static_cast<int64_t>(values.size())});
}

void fill(Hdf5File& file, int64_t iteration, const Trajectory& all) {
  std::vector<int32_t> tokens;
  std::vector<int64_t> token_offsets{0};
  for (const auto& sequence : all.sequences) {
    tokens.insert(tokens.end(), sequence.begin(), sequence.end());
    token_offsets.push_back(static_cast<int64_t>(tokens.size()));
  }
  file.set_attribute("iteration", iteration);
  file.write<int32_t>("tokens", tokens, {static_cast<int64_t>(tokens.size())});
  write_numbers(file, "token_offsets", token_offsets);
  write_numbers(file, "prompt_lengths", all.prompt_lengths);
  write_numbers(file, "response_offsets", all.cu_response);
  write_numbers(file, "state_offsets", all.cu_states);
  write_numbers(file, "sample_ids", {all.sample_ids.begin(), all.sample_ids.end()});
  write_numbers(file, "ended", {all.ended.begin(), all.ended.end()});
  write_tensor<float>(file, "logprobs", all.logprobs);
  write_tensor<float>(file, "ref_logprobs", all.ref_logprobs);
  write_tensor<float>(file, "sampler_logprobs", all.sampler_logprobs);
  write_tensor<float>(file, "kl", all.kl);
  write_tensor<float>(file, "advantages", all.advantages);
  write_tensor<float>(file, "values", all.values);
  write_tensor<float>(file, "rewards", all.rewards);
  write_tensor<float>(file, "returns", all.returns);
  write_tensor<double>(file, "raw_scores", all.raw_scores);
  write_tensor<double>(file, "scores", all.scores);
  write_tensor<double>(file, "term_scores", all.term_scores);
}

// Which iteration a file of the folder holds, or -1.
int64_t iteration_of(const std::filesystem::path& path) {
  long long iteration = -1;
  int end = 0;
  const std::string name = path.filename().string();
  if (std::sscanf(name.c_str(), "iter-%lld.h5%n", &iteration, &end) != 1) return -1;
  return static_cast<std::size_t>(end) == name.size() ? iteration : -1;
}

}  // namespace

std::string rollout_path(const std::string& run_folder, int64_t iteration) {
  char name[40];
  std::snprintf(name, sizeof name, "iter-%05lld.h5", static_cast<long long>(iteration));
  return run_folder + "/rollouts/" + name;
}

void write_rollout(const std::string& run_folder, int64_t iteration, int64_t keep,
                   const Trajectory& all) {
  if (keep == 0) return;
  files::create_directories(run_folder + "/rollouts");
  files::publish_path(rollout_path(run_folder, iteration), [&](const std::string& temporary) {
    Hdf5File file = Hdf5File::create(temporary);
    fill(file, iteration, all);
    file.close();
  });
  for (const auto& entry : std::filesystem::directory_iterator(run_folder + "/rollouts")) {
    const int64_t found = iteration_of(entry.path());
    if (found >= 0 && found <= iteration - keep) files::remove_tree(entry.path().string());
  }
}

}  // namespace plumb
