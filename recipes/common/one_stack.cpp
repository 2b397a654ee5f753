#include "recipes/common/one_stack.h"

#include "core/error.h"
#include "core/io/model_config.h"

namespace plumb {

void require_one_stack(const std::string& model, const std::string& job) {
  const ModelConfig config = read_model_config(model);
  if (!config.is_encoder_decoder) return;
  throw Error("model.path: " + model + " is a text-to-text model (" + config.model_type +
                  "), and plumb " + job +
                  " takes models of one stack. Text-to-text models are trained by sft and ppo",
              Exit::usage);
}

}  // namespace plumb
