#pragma once
#include "recipes/cli/command.h"

namespace plumb {

std::string doctor_help();
// Status 0: jobs run here on the CPU; 1: they do not, and the report says why.
int doctor(const Arguments& arguments);

}  // namespace plumb
