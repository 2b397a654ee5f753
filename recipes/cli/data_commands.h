#pragma once
#include "recipes/cli/command.h"

namespace plumb {

std::string data_help();
int data_prepare(const Arguments& arguments);
int data_inspect(const Arguments& arguments);

std::string data_make_help();
int data_make(const Arguments& arguments);

}  // namespace plumb
