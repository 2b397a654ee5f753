#pragma once
#include "recipes/cli/command.h"

namespace plumb {

std::string tokenize_help();
int tokenize(const Arguments& arguments);

}  // namespace plumb
