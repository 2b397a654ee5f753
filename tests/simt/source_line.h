// From an address of the program to its line, through inlined calls (libbacktrace, DWARF).
#pragma once
#include <string>
#include <vector>

namespace plumb::simt {

struct SourceLine {
  std::string file;  // as the compiler was given it, below the repository's root
  int line = 0;
};

// Innermost first: the place of the call that returns to `return_address`, then the places it was
// inlined into. Lines of the harness itself are left out. Empty if the program has no debug lines.
const std::vector<SourceLine>& source_lines(const void* return_address);

// "core/ops/rms_norm.cu:44", with " in file:line" for each place it was inlined into.
std::string source_text(const void* return_address);

// "plumb::(anonymous namespace)::rope_kernel<float, 4>(plumb::Rope)": the function at an address.
// Empty if the program has no symbols.
std::string function_name(const void* code);

}  // namespace plumb::simt
