// What text-to-text models (T5) are not for.
#pragma once
#include <string>

namespace plumb {

// Throws Error where the config in `model` is of a text-to-text model: for jobs that read whole
// texts. `job` is named.
void require_one_stack(const std::string& model, const std::string& job);

}  // namespace plumb
