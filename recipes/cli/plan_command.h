#pragma once
#include "recipes/cli/command.h"

namespace plumb {

std::string plan_help();
int plan_command(const Arguments& arguments);

}  // namespace plumb
