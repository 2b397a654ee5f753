#include "lora/linears.h"

namespace plumb {
namespace {

constexpr std::array<const char*, kNumLinears> kNames = {
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};

}  // namespace

std::string module_name(Linear linear) {
  return kNames[static_cast<int>(linear)];
}

std::string module_path(Linear linear) {
  const bool in_attention = static_cast<int>(linear) <= static_cast<int>(Linear::o);
  return (in_attention ? "self_attn." : "mlp.") + module_name(linear);
}

std::string module_names() {
  std::string all;
  for (const char* name : kNames) all += (all.empty() ? "" : ", ") + std::string(name);
  return all;
}

}  // namespace plumb
