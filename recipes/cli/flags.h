// Command-line flags made from fields(): --max-new-tokens 200 for a field max_new_tokens, a bare
// --greedy for a bool, --stop given twice for a list. By Boost.Program_options, without
// abbreviations; an unknown flag is an error that names the nearest known one.
#pragma once
#include <string>
#include <vector>

#include "core/io/recipe_io.h"

namespace plumb {

// Assigns the flags of `arguments` to `fields` (leaves; nested groups are given by their leaves'
// names) and returns what is not a flag, in order. After "--" everything is positional.
std::vector<std::string> parse_flags(const std::vector<std::string>& arguments,
                                     const FieldList& fields);

// A line a flag: name, effect, default.
std::string flags_help(const FieldList& fields);

}  // namespace plumb
