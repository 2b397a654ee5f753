#include "core/io/families/qwen_windows.h"

#include <algorithm>

namespace plumb {

void read_qwen_windows(const ConfigValues& values, ModelConfig& config) {
  constexpr std::int64_t kUsualWindow = 4096, kUsualFirstLayer = 28;
  const bool is_off = values.find("sliding_window") != nullptr && !values.has("sliding_window");
  const bool is_used = values.boolean("use_sliding_window", false) && !is_off;
  const std::int64_t window = is_used ? values.integer("sliding_window", kUsualWindow) : 0;
  if (is_used && window < 1) values.fail("sliding_window", "must be null or at least 1");
  set_windows(
      values, window,
      [](const ConfigValues& of, std::int64_t layer) {
        return layer >= of.integer("max_window_layers", kUsualFirstLayer);
      },
      config);
}

void write_qwen_windows(const ModelConfig& config, Json& json) {
  const bool is_used = !config.windows.empty();
  json["use_sliding_window"] = is_used;
  if (!is_used) return;
  json["sliding_window"] = *std::max_element(config.windows.begin(), config.windows.end());
  json["layer_types"] = layer_types_of(config);
}

}  // namespace plumb
