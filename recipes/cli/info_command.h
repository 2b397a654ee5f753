#pragma once
#include "recipes/cli/command.h"

namespace plumb {

std::string info_help();
int info(const Arguments& arguments);

}  // namespace plumb
