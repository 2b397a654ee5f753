// Groups that every job's recipe begins with; torch-free.
#pragma once
#include <cstdint>
#include <string>

#include "core/io/fields.h"

namespace plumb {

struct RunOptions {
  std::string out;
  int64_t seed = 42;
  std::string device = "cpu";
  int64_t threads = 0;
  int64_t ranks = 1;
  std::string precision = "f32";

  template <class Visitor>
  void fields(Visitor& v) {
    v("out", out, "run folder: recipe, metrics, samples, report, checkpoints, results (--out)");
    v("seed", seed, "keys every random draw of the run (--seed)", at_least(0));
    v("device", device, "where tensors live: cpu, cuda, or a GPU by number, cuda:0 (--device)");
    v("threads", threads, "threads of a rank; 0: all cores, shared by the ranks (--threads)",
      at_least(0));
    v("ranks", ranks, "processes on this machine, data-parallel (--ranks)", at_least(1));
    v("precision", precision,
      "what matrix products multiply; sums, weights, norms and softmax stay f32. bf16 halves their "
      "time on a CPU with AVX512-BF16, and is refused on others; on a GPU it is TensorFloat-32",
      one_of({"f32", "bf16"}));
  }
};

struct ModelOptions {
  std::string path;
  std::string adapter;

  template <class Visitor>
  void fields(Visitor& v) {
    v("path", path,
      "a Hugging Face folder (config.json, model.safetensors, tokenizer.json), or "
      "hf:owner/name[@revision] on the hub");
    v("adapter", adapter,
      "a PEFT folder, or hf:owner/name, that training starts from and goes on with");
  }
};

// What a job's command line may say beside its recipe.
struct JobFlags {
  bool quiet = false;
  bool resume = false;
  bool overwrite = false;
  bool profile = false;

  template <class Visitor>
  void fields(Visitor& v) {
    v("quiet", quiet, "no progress on stderr");
    v("resume", resume,
      "go on from the newest checkpoint in --out; a finished run is left as it is");
    v("overwrite", overwrite, "replace the run that --out holds");
    v("profile", profile,
      "time by op at the end, and in --out trace.json, which https://ui.perfetto.dev opens");
  }
};

}  // namespace plumb
