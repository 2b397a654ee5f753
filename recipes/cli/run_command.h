// plumb run: a recipe whose stages are jobs, each a process of its own.
#pragma once
#include "recipes/cli/command.h"

namespace plumb {

std::string run_help();
int run_stages(const Arguments& arguments);

}  // namespace plumb
