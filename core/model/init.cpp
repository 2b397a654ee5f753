#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <numbers>
#include <string_view>

#include "core/model/decoder.h"
#include "core/model/file_tensors.h"
#include "core/ops/philox.h"

namespace plumb {
namespace {

// FNV-1a: names a tensor's draws by its name in files, whatever is fused with it.
uint64_t id_of(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

// Box and Muller (1958): two uniform words to two normal values.
void fill_pair(float* out, int64_t count, uint32_t first, uint32_t second, double deviation) {
  const double radius = std::sqrt(-2.0 * std::log((first + 0.5) * 0x1.0p-32)) * deviation;
  const double angle = 2.0 * std::numbers::pi * (second + 0.5) * 0x1.0p-32;
  out[0] = static_cast<float>(radius * std::cos(angle));
  if (count > 1) {
    out[1] = static_cast<float>(radius * std::sin(angle));
  }
}

// Elements 4 i to 4 i + 3 come from Philox block i of the tensor.
void fill_normal(const FileTensor& tensor, uint64_t seed, double deviation) {
  const uint64_t id = id_of(tensor.name);
  const at::Tensor values = at::empty(tensor.shape, at::kFloat);
  const int64_t count = values.numel();
  float* out = values.mutable_data_ptr<float>();
  at::parallel_for(0, (count + 3) / 4, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto words = random_words(seed, Stream::weights, id, block);
      const int64_t left = count - 4 * block;
      fill_pair(out + 4 * block, left, words[0], words[1], deviation);
      if (left > 2) {
        fill_pair(out + 4 * block + 2, left - 2, words[2], words[3], deviation);
      }
    }
  });
  tensor.assign(values);
}

void fill(const FileTensor& tensor, const ModelConfig& config, uint64_t seed) {
  const double residual_scale =
      tensor.adds_to_residual ? 1.0 / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers))
                              : 1.0;
  switch (tensor.kind) {
    case WeightKind::norm:
      tensor.pieces[0].fill_(config.norm == Norm::rms_one_plus ? 0.0 : 1.0);
      break;
    case WeightKind::bias:
      for (const at::Tensor& piece : tensor.pieces) piece.zero_();
      break;
    case WeightKind::embedding:
    case WeightKind::linear:
      fill_normal(tensor, seed, config.initializer_range * residual_scale);
      break;
  }
}

}  // namespace

Decoder create_decoder(const ModelConfig& config, uint64_t seed) {
  check_model_config(config, "new model");
  Decoder decoder;
  decoder.config = config;
  decoder.weights = allocate_weights(config);
  for (const FileTensor& tensor : file_tensors(decoder.weights, config)) {
    fill(tensor, config, seed);
  }
  return decoder;
}

}  // namespace plumb
